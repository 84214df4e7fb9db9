// States are folded a second time in the background: a projection that comes to another one is found out.

import { describe, expect, test, vi } from 'vitest'
import { Audit, type AuditFailure, type AuditOptions } from '../../../src/engine/replay/audit.ts'
import { createProjector, type ProjectorOptions } from '../../../src/engine/replay/projector.ts'
import type { Hash, RecordedEvent } from '../../../src/log/event.ts'
import type { AnyProjection, App } from '../../../src/model/app.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { count, openDevice } from './replicas.ts'

const numberOf = (event: RecordedEvent): number => event.data as number

/** Sums up, and adds what `noise` gives. */
function summing(noise: () => number, ofAll = false): AnyProjection {
  return {
    canHandle: ['Said'],
    initialState: () => ({ sum: 0 }),
    evolve: (state: { sum: number }, event: RecordedEvent) => ({
      sum: state.sum + numberOf(event) + noise(),
    }),
    snapshot: { every: 10 },
    ...(ofAll && { getDocumentId: (event: RecordedEvent) => event.metadata.streamName }),
  } as unknown as AnyProjection
}

async function projected(definition: AnyProjection, options: Pick<ProjectorOptions, 'audit'> = {}) {
  const database = createMemoryDatabase()
  const log = await openDevice(database)
  const failures: AuditFailure[] = []
  const app = { projections: { sum: definition } } as unknown as App
  const projector = createProjector({
    log,
    app,
    onAuditFailed: failure => failures.push(failure),
    ...options,
  })
  const snapshots = () => [...database.values.keys()].filter(key => key.startsWith('snapshot/'))
  const grow = async (to: number, streamName = 'a') => {
    await count(log, streamName, log.streamVersion(streamName) + 1, to)
    return projector.latest('sum', streamName)
  }
  return { log, projector, failures, snapshots, grow }
}

const close = async ({ projector, log }: Awaited<ReturnType<typeof projected>>) => {
  await projector.close()
  await log.close()
}

let calls = 0
const never = (): number => 0
const notEachTime = (): number => calls++ % 7
let folded = 0
const countingFolds = (): number => {
  folded++
  return 0
}

describe.each([
  ['one document a stream', false],
  ['documents of all streams', true],
])('%s', (_, ofAll) => {
  test('a projection that is deterministic is trusted', async () => {
    const store = await projected(summing(never, ofAll), { audit: { every: 1 } })
    for (const to of [10, 25, 40]) await store.grow(to)
    await close(store)
    expect(store.failures).toEqual([])
    expect(store.snapshots().length).toBeGreaterThan(0)
  })

  test('one that is not is found out, once, and keeps no snapshot', async () => {
    const store = await projected(summing(notEachTime, ofAll))
    await store.grow(12)
    await vi.waitFor(() => expect(store.failures).toHaveLength(1))
    expect(store.failures[0]).toMatchObject({
      owner: { kind: 'projection', name: 'sum', streamName: ofAll ? null : 'a' },
      events: 12,
    })
    expect(store.failures[0]!.stateHash).not.toBe(store.failures[0]!.secondStateHash)
    await vi.waitFor(() => expect(store.snapshots()).toEqual([]))
    const document = await store.grow(60)
    expect(document).toMatchObject({ streamVersion: 60 })
    await close(store)
    expect(store.snapshots()).toEqual([])
    expect(store.failures).toHaveLength(1)
  })

  test('one that goes astray late is found from an older snapshot on', async () => {
    let isAstray = false
    const store = await projected(
      summing(() => (isAstray ? calls++ : 0), ofAll),
      {
        audit: { every: 1, maxEvents: 15 },
      },
    )
    for (const to of [10, 20, 30]) await store.grow(to)
    await new Promise(resolve => setTimeout(resolve, 20))
    expect(store.failures).toEqual([])
    isAstray = true
    await store.grow(40)
    await vi.waitFor(() => expect(store.failures).toMatchObject([{ events: 10 }]))
    await close(store)
  })
})

test('a sample is audited, the first one always; and none where audits are off', async () => {
  for (const [audit, audits] of [
    [{ every: 3 }, 4],
    [{ every: 100 }, 1],
    [false, 0],
  ] as [AuditOptions | false, number][]) {
    const store = await projected(summing(countingFolds), { audit })
    folded = 0
    for (let to = 10; to <= 100; to += 10) await store.grow(to)
    const events = [...Array(10)].map((_, n) => (n + 1) * 10)
    const again = events.filter((_, n) => audit && n % audit.every! === 0).reduce((sum, n) => sum + n, 0)
    expect(again > 0).toBe(audits > 0)
    await vi.waitFor(() => expect(folded).toBe(100 + again))
    await close(store)
    expect(folded).toBe(100 + again)
  }
})

test('histories too long for an audit are left alone', async () => {
  folded = 0
  const store = await projected(summing(countingFolds), { audit: { every: 1, maxEvents: 5 } })
  await store.grow(100)
  await close(store)
  expect(folded).toBe(100)
})

test('a rebase between the two folds is no fault of the projection', async () => {
  const log = await openDevice()
  const failures: AuditFailure[] = []
  const audited = {
    owner: { kind: 'projection', name: 'sum', streamName: 'a' },
    snapshot: {
      version: 1,
      position: 1,
      eventHash: '' as Hash,
      erasures: 0,
      amendedAt: 0,
      types: new Map([['Counted', 1]]),
      state: 1,
      facts: null,
    },
    refold: async () => 2,
    older: async () => null,
  } as const
  for (const isEffective of [false, true]) {
    const audit = new Audit({
      log: { hash: log.hash, erasures: log.erasures, order: log.order, isEffective: () => isEffective },
      options: {},
      onFailure: failure => failures.push(failure),
    })
    audit.consider(audited)
    await new Promise(resolve => setTimeout(resolve, 20))
    await audit.close()
    expect(failures).toHaveLength(isEffective ? 1 : 0)
  }
  await log.close()
})

test('a projection that fails in the second fold is left to who needs it', async () => {
  let isBroken = false
  const store = await projected(
    summing(() => {
      if (isBroken) throw new Error('broken')
      return 0
    }),
    { audit: { every: 1 } },
  )
  await store.grow(12)
  isBroken = true
  await new Promise(resolve => setTimeout(resolve, 20))
  await close(store)
  expect(store.failures).toEqual([])
})
