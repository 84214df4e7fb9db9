// The page that drivers of browsers call into: the built package, and steps that claim something of a browser.

import { isStoreError, openStore, type StoreClient, type Verdict } from 'streamdingo'
import {
  type ConsistencyProof,
  type InclusionProof,
  verifyConsistency,
  verifyInclusion,
} from 'streamdingo/integrity'
import type { Counted, Edited, HarnessApp } from './app.ts'
import { corrupt, resultOf } from './corruption.ts'
import { accountOf, type LedgerLine, type Told, type Writing, writeLedger } from './ledger.ts'

export type Opened = StoreClient<HarnessApp>

const startWorker = (): Worker =>
  new Worker(new URL('./store-worker.ts', import.meta.url), { type: 'module' })

/** The worker knows by its name. */
const startAcceptingWorker = (): Worker =>
  new Worker(new URL('./store-worker.ts', import.meta.url), { type: 'module', name: 'accept-data-loss' })

const startSharedWorker = (hung: number): SharedWorker =>
  new SharedWorker(new URL('./store-worker.ts', import.meta.url), { type: 'module', name: `store-${hung}` })

/** Of another release of the application. */
const startOtherWorker = (): Worker =>
  new Worker(new URL('./other-release-worker.ts', import.meta.url), { type: 'module' })

const STARTS = { own: startWorker, shared: startSharedWorker, 'other-release': startOtherWorker } as const

/** Why a store could not be opened, as plain JSON. */
export type Refusal = Readonly<{ code: string; problem: unknown; message: string }>

let store: Opened
let backup: { names: IDBValidKey[]; blocks: unknown[]; values: unknown[] }
let database = ''

function refusalIn(error: unknown): Refusal {
  if (!isStoreError(error)) throw error
  return { code: error.code, problem: error.facts['problem'], message: error.message }
}

export const harness = {
  /** Opens a store; with a server's address, it syncs. */
  async open(storeId: string, url?: string, acceptDataLoss = false): Promise<void> {
    database = `harness-${storeId}`
    store = await openStore<HarnessApp>(acceptDataLoss ? startAcceptingWorker : startWorker, {
      storeId,
      ...(url && { sync: { url, token: storeId } }),
    })
  },

  /** Opens a store with a worker of that kind; with a server's address, it syncs. */
  async openWith(kind: keyof typeof STARTS, storeId: string, url: string | null, callTimeoutMs = 30_000) {
    database = `harness-${storeId}`
    store = await openStore<HarnessApp>(STARTS[kind], {
      storeId,
      callTimeoutMs,
      ...(url && { sync: { url, token: storeId } }),
    })
  },

  /** What has become of a store that counted so many events, in words; `WRONG` where nobody would have noticed. */
  async judgeStored(storeId: string, events: number): Promise<string> {
    try {
      store = await openStore<HarnessApp>(startWorker, { storeId })
    } catch (error) {
      if (!isStoreError(error)) throw error
      return `refused, ${error.code} ${error.facts['problem'] ?? ''}`
    }
    try {
      const [told] = store.integrity().getSnapshot().verdicts
      if (told) return `told, ${told.finding}`
      const report = await store.verify()
      if (!report.ok) return `found, ${report.problem}`
      const { events: read } = await this.counted()
      const isWhole = read.length === events && read.every((text, n) => text === `0/${n}`)
      return isWhole ? 'whole' : `WRONG: ${read.length} of ${events}`
    } catch (error) {
      if (!isStoreError(error)) throw error
      return `refused to read, ${error.code} ${error.facts['problem'] ?? ''}`
    } finally {
      await store.close().catch(() => {})
    }
  },

  /** Why the store cannot be opened; null if it can. */
  async refusal(storeId: string): Promise<Refusal | null> {
    try {
      await (await openStore<HarnessApp>(startWorker, { storeId })).close()
      return null
    } catch (error) {
      return refusalIn(error)
    }
  },

  close: (): Promise<void> => store.close(),

  health: () => store.health().getSnapshot(),

  /** Appends one by one, each acknowledged before the next; tells of each acknowledgement. */
  async count(tab: number, events: number, onAcknowledged?: (n: number) => void): Promise<void> {
    for (let n = 0; n < events; n++) {
      await store.appendToStream<Counted>('counter-1', [{ type: 'Counted', data: { tab, n } }])
      onAcknowledged?.(n)
    }
  },

  /** As the page of the other release does, whose app has a merge of this name. */
  async countMerging(tab: number, n: number): Promise<void> {
    const onConflict = { merge: 'both' as never }
    await store.appendToStream<Counted>('counter-1', [{ type: 'Counted', data: { tab, n } }], { onConflict })
  },

  /** What the stream holds, as `tab/n`, in order, with the versions. */
  async counted(): Promise<{ versions: number[]; events: string[] }> {
    const { events } = await store.readStream<Counted>('counter-1')
    return {
      versions: events.map(({ metadata }) => metadata.streamVersion),
      events: events.map(({ data }) => `${data.tab}/${data.n}`),
    }
  },

  execute: (tab: number, n: number) => store.execute('counter', '1', { type: 'Count', data: { tab, n } }),

  verify: () => store.verify(),

  /** What the log makes of changed bytes: in this page, without a worker. */
  corrupt,

  /** A proof that event number `n` of the counter stands in the log. */
  async proveCounted(n: number): Promise<InclusionProof> {
    const { events } = await store.readStream<Counted>('counter-1', { from: n, to: n })
    return store.proveInclusion(events[0]!.metadata.eventId)
  },

  proveConsistency: (size1: number) => store.proveConsistency(size1),

  /** That proof as a text, and the key that it is signed with. */
  async exportCounted(n: number): Promise<{ proof: string; key: string }> {
    const { events } = await store.readStream<Counted>('counter-1', { from: n, to: n })
    const proof = await store.exportProof(events[0]!.metadata.eventId)
    const { signing } = await store.checkpoint()
    return { proof, key: signing.status === 'signed' ? signing.verifierKey : signing.reason }
  },

  checkpoint: () => store.checkpoint(),
  verdicts: () => store.integrity().getSnapshot().verdicts,

  /** Resolves when the server has countersigned a log of at least so many entries. */
  witnessed(atLeast: number): Promise<number> {
    return new Promise(resolve => {
      const look = (): void => {
        const size = store.integrity().getSnapshot().witnessed?.size ?? 0
        if (size >= atLeast) resolve(size)
      }
      store.integrity().subscribe(look)
      look()
    })
  },

  /** Resolves with the first verdict there is. */
  verdict(): Promise<Verdict> {
    return new Promise(resolve => {
      const look = (): void => {
        const [verdict] = store.integrity().getSnapshot().verdicts
        if (verdict) resolve(verdict)
      }
      store.integrity().subscribe(look)
      look()
    })
  },

  /** As a backup of the device does, which knows of nothing beside the database. The store must be closed. */
  async backUp(): Promise<void> {
    const [names, contents] = await inDatabase('readonly', ([blocks, values]) =>
      Promise.all([
        resultOf(values.getAllKeys()),
        Promise.all([resultOf(blocks.getAll()), resultOf(values.getAll())]),
      ]),
    )
    backup = { names, blocks: contents[0], values: contents[1] }
  },

  storage: async () => store.storage().getSnapshot(),

  /** Appends an event of so many ids, which take room on any disk; null, or why it was not written. */
  async appendLarge(ids: number): Promise<Refusal | null> {
    const data = Array.from({ length: ids }, () => crypto.randomUUID())
    try {
      await store.appendToStream('large', [{ type: 'Counted', data }])
      return null
    } catch (error) {
      return refusalIn(error)
    }
  },

  async restore(): Promise<void> {
    await inDatabase('readwrite', async ([blocks, values]) => {
      blocks.clear()
      values.clear()
      for (const block of backup.blocks) blocks.put(block)
      for (const [i, name] of backup.names.entries()) values.put(backup.values[i], name)
    })
    const root = await navigator.storage.getDirectory()
    await root.removeEntry('streamdingo-anchors', { recursive: true })
  },

  /** As a person does in the browser's tools, or a bug in the application. The store must be closed. */
  async deleteDatabase(): Promise<void> {
    await resultOf(indexedDB.deleteDatabase(database))
  },

  /** What somebody without the store says of proofs. */
  async judge(inclusion: InclusionProof, consistency: ConsistencyProof): Promise<boolean[]> {
    return [await verifyInclusion(inclusion), await verifyConsistency(consistency)]
  },

  /** Resolves when the view of the total shows so many. */
  shownTotal(wanted: number): Promise<void> {
    const view = store.view('total', 'all')
    return new Promise(resolve => {
      const look = (): void => {
        if ((view.getSnapshot()?.state ?? 0) < wanted) return
        unsubscribe()
        resolve()
      }
      const unsubscribe = view.subscribe(look)
      look()
    })
  },

  /** Ids of what holds the lead in sync of any store here. */
  async leaders(): Promise<string[]> {
    const { held } = await navigator.locks.query()
    const names = /^streamdingo:[0-9a-f-]{36}$/
    return (held ?? []).filter(({ name }) => names.test(name!)).map(({ clientId }) => clientId!)
  },

  async total(): Promise<number> {
    return (await store.projection('total').get('all'))?.state ?? 0
  },

  /** Resolves when the server has confirmed everything that is here. */
  async synced(atLeast = 0): Promise<number> {
    const status = store.sync.status()
    const isDone = (): boolean => {
      const { phase, pending, serverPosition } = status.getSnapshot()
      return (phase === 'idle' || phase === 'follower') && pending === 0 && serverPosition >= atLeast
    }
    if (!isDone()) {
      await new Promise<void>(resolve => {
        const unsubscribe = status.subscribe(() => {
          if (!isDone()) return
          unsubscribe()
          resolve()
        })
      })
    }
    return status.getSnapshot().serverPosition
  },

  setOnline: (online: boolean) => store.sync.setOnline(online),
  syncStatus: () => store.sync.status().getSnapshot(),

  /** Appends edits in batches without waiting for each; resolves when all are persisted. */
  async edit(edits: readonly Edited['data'][], batch: number): Promise<void> {
    const inFlight = new Set<Promise<unknown>>()
    for (let at = 0; at < edits.length; at += batch) {
      const events = edits.slice(at, at + batch).map((data): Edited => ({ type: 'Edited', data }))
      const append = store.appendToStream('paper', events).finally(() => inFlight.delete(append))
      inFlight.add(append)
      if (inFlight.size >= MAX_IN_FLIGHT) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
  },

  /** The text as a view shows it once it has folded this many events, and how often it was delivered until then. */
  async text(events: number): Promise<{ text: string; deliveries: number }> {
    const view = store.view('text', 'paper')
    let deliveries = 0
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const error = view.getError()
        if (error) reject(error)
        const snapshot = view.getSnapshot()
        if (snapshot?.streamVersion !== events) return
        unsubscribe()
        resolve({ text: snapshot.state, deliveries })
      }
      const unsubscribe = view.subscribe(() => {
        deliveries++
        look()
      })
      look()
    })
  },

  /** Resolves with what was acknowledged. */
  async writeLedger(writing: Writing, told: Partial<Told> = {}): Promise<LedgerLine[]> {
    const lines: LedgerLine[] = []
    const acknowledged = (line: LedgerLine): void => {
      lines.push(line)
      told.acknowledged?.(line)
    }
    await writeLedger(store, writing, { ...told, acknowledged })
    return lines
  },

  account: () => accountOf(store),
  progressOf: (eventIds: readonly string[]) => store.sync.progressOf(eventIds),

  textSnapshot: () => store.projection('text').get('paper'),

  /** Bytes that page and worker hold, where the browser can tell. */
  async memory(): Promise<number | null> {
    const measure = (performance as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> })
      .measureUserAgentSpecificMemory
    return measure && crossOriginIsolated ? (await measure.call(performance)).bytes : null
  },

  /** How many blocks the log is stored in. */
  storedBlocks: (): Promise<number> => inDatabase('readonly', ([blocks]) => resultOf(blocks.count())),

  async storedBytes(): Promise<number | null> {
    return (await navigator.storage?.estimate?.())?.usage ?? null
  },
}

/** Behind the store's back. */
async function inDatabase<T>(
  mode: IDBTransactionMode,
  work: (stores: readonly [blocks: IDBObjectStore, values: IDBObjectStore]) => Promise<T>,
): Promise<T> {
  const opened = await resultOf(indexedDB.open(database))
  const transaction = opened.transaction(['blocks', 'values'], mode)
  const done = new Promise(resolve => transaction.addEventListener('complete', resolve))
  const result = await work([transaction.objectStore('blocks'), transaction.objectStore('values')])
  await done
  opened.close()
  return result
}

/** Batches on their way at once: enough to keep page, worker and disk busy together. */
const MAX_IN_FLIGHT = 8

export type Harness = typeof harness

Object.assign(globalThis, { harness })
