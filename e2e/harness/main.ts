// The page that drivers of browsers call into: the built package, and steps that claim something of a browser.

import { openStore, type StoreClient } from 'streamdingo'
import type { Counted, Edited, HarnessApp } from './app.ts'

export type Opened = StoreClient<HarnessApp>

const startWorker = (): Worker =>
  new Worker(new URL('./store-worker.ts', import.meta.url), { type: 'module' })

let store: Opened

export const harness = {
  /** Opens a store; with a server's address, it syncs. */
  async open(storeId: string, url?: string): Promise<void> {
    store = await openStore<HarnessApp>(startWorker, {
      storeId,
      ...(url && { sync: { url, token: storeId } }),
    })
  },

  close: (): Promise<void> => store.close(),

  /** Appends one by one, each acknowledged before the next; tells of each acknowledgement. */
  async count(tab: number, events: number, onAcknowledged?: (n: number) => void): Promise<void> {
    for (let n = 0; n < events; n++) {
      await store.appendToStream<Counted>('counter-1', [{ type: 'Counted', data: { tab, n } }])
      onAcknowledged?.(n)
    }
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

  textSnapshot: () => store.projection('text').get('paper'),

  /** Bytes that page and worker hold, where the browser can tell. */
  async memory(): Promise<number | null> {
    const measure = (performance as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> })
      .measureUserAgentSpecificMemory
    return measure && crossOriginIsolated ? (await measure.call(performance)).bytes : null
  },

  async storedBytes(): Promise<number | null> {
    return (await navigator.storage?.estimate?.())?.usage ?? null
  },
}

/** Batches on their way at once: enough to keep page, worker and disk busy together. */
const MAX_IN_FLIGHT = 8

export type Harness = typeof harness

Object.assign(globalThis, { harness })
