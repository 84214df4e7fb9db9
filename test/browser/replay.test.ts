// Replay in a real worker, on real IndexedDB: snapshots that are deflated, another release, older shapes, the past.

import { afterEach, expect, test } from 'vitest'
import { openStore, type StoreClient } from '../../src/index.ts'
import type { ReplayApp, releases } from './replay-app.ts'

const opened: StoreClient<ReplayApp>[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

async function open(release: keyof typeof releases, storeId: string, freeze = false) {
  const worker = () =>
    new Worker(new URL('./replay-worker.ts', import.meta.url), { type: 'module', name: release })
  const store = await openStore<ReplayApp>(worker, { storeId, freeze })
  opened.push(store)
  return store
}

const bought = (euros: number) => ({ type: 'Bought', data: { euros } })
const refunded = { type: 'Refunded', data: { cents: 5 } }

test('another release folds again what its handler touched, and shows the past of events of an older shape', async () => {
  const storeId = `replay-${crypto.randomUUID()}`
  let store = await open('first', storeId)
  const many = Array.from({ length: 200 }, (_, n) => bought(n))
  await store.appendToStream('cart', [
    ...many,
    refunded,
    { ...bought(0), data: { cents: 7 }, schemaVersion: 2 },
  ])
  const before = await store.projection('total').get('cart')
  expect(before?.state.cents).toBe(100 * 19_900 - 5 + 7)
  expect((await store.readStream('cart', { to: 2 })).events[1]).toMatchObject({ data: { cents: 100 } })
  expect(await store.typeCounts()).toEqual({ Bought: 201, Refunded: 1 })
  await store.close()

  store = await open('second', storeId)
  const explanation = await store.projection('total').explain('cart')
  expect(explanation).toMatchObject({ reason: 'handler-changed', changedTypes: ['Refunded'], total: 202 })
  expect((await store.projection('total').get('cart'))?.state.cents).toBe(100 * 19_900 - 10 + 7)
  const [report] = await store.replayReports()
  expect(report).toMatchObject({
    reason: 'handler-changed',
    from: explanation.from,
    replayed: 202 - explanation.from,
  })
  expect(report!.from).toBeGreaterThan(0)
  const view = store.view('total', 'cart')
  expect((await view.at({ version: 3 }))?.state).toEqual({ cents: 300, events: [0, 100, 200] })
  expect(await view.at({ time: 0 })).toBeNull()
  await store.close()

  // A release that is taken back finds its own snapshots.
  store = await open('first', storeId)
  expect((await store.projection('total').get('cart'))?.stateHash).toBe(before?.stateHash)
  expect(await store.replayReports()).toMatchObject([{ reason: 'tail', replayed: 0 }])
})

test('in the background a projection catches up, and behind a changed handler gives nothing half done', async () => {
  const storeId = `background-${crypto.randomUUID()}`
  let store = await open('first', storeId)
  await store.appendToStream('cart-1', [refunded, ...Array.from({ length: 4_000 }, () => bought(1))])
  await store.appendToStream('other-1', [bought(1)])
  const { lastEventGlobalPosition: end } = await store.appendToStream('cart-2', [bought(1)])
  await store.projection('spent').whenProcessed(end)
  expect((await store.projection('spent').get('everybody'))?.state).toBe(400_095)
  expect(await store.projection('spent').status()).toMatchObject({ phase: 'current', processedPosition: end })
  await store.close()

  store = await open('second', storeId)
  const whileFolding = await store.projection('spent').get('everybody')
  // The newest snapshot of the release before, which may lack the last events, or all of it anew.
  expect([400_000 - 5, 400_095, 400_090]).toContain(whileFolding?.state)
  await store.projection('spent').whenProcessed(end)
  expect((await store.projection('spent').get('everybody'))?.state).toBe(400_090)
  const reports = await store.replayReports()
  expect(reports.find(({ name }) => name === 'spent')).toMatchObject({ reason: 'handler-changed', from: 0 })
})

test('an amended stream is folded in its new order, and recorded as it was', async () => {
  const storeId = `amended-${crypto.randomUUID()}`
  let store = await open('first', storeId)
  await store.appendToStream(
    'cart',
    Array.from({ length: 60 }, (_, n) => bought(n)),
  )
  const recorded = (await store.readStream('cart')).events
  const idAt = (version: number) => recorded[version - 1]!.metadata.eventId
  await store.projection('total').get('cart')
  await store.close()
  store = await open('first', storeId)
  await store.amendStream(
    'cart',
    [
      { kind: 'remove', eventId: idAt(50) },
      { kind: 'move', eventId: idAt(60), after: idAt(55) },
      { kind: 'insert', after: idAt(40), event: { ...bought(1_000), schemaVersion: 1 } },
    ],
    { reason: 'a test' },
  )
  const total = await store.projection('total').get('cart')
  expect(total?.state.cents).toBe(100 * (1_770 - 49 + 1_000))
  expect(total?.state.events.slice(38, 42)).toEqual([3_800, 3_900, 100_000, 4_000])
  const { events } = await store.readStream('cart', { order: 'recorded' })
  expect(events.slice(0, 60)).toEqual(recorded)
  expect(await store.replayReports()).toMatchObject([{ reason: 'history-amended', from: expect.any(Number) }])
  expect((await store.replayReports())[0]!.from).toBeGreaterThan(0)
  expect(await store.verify()).toMatchObject({ ok: true })
  expect(await store.amendments('cart')).toMatchObject([{ reason: 'a test', status: 'pending' }])
})

test('a handler that changes its state in place is found out where states are frozen', async () => {
  const store = await open('first', `freeze-${crypto.randomUUID()}`, true)
  const view = store.view('mutating', 'cart')
  const told = () =>
    new Promise<void>(resolve => {
      const unsubscribe = view.subscribe(() => {
        unsubscribe()
        resolve()
      })
    })
  const shown = told()
  await store.appendToStream('cart', [bought(1)])
  await shown
  while (!view.getSnapshot()) await told()
  expect(Object.isFrozen(view.getSnapshot()!.state.cents)).toBe(true)
  const failed = told()
  await store.appendToStream('cart', [bought(2)])
  await failed
  while (!view.getError()) await told()
  expect(view.getError()).toMatchObject({ code: 'handler-failed' })
  expect(view.getSnapshot()?.state).toEqual({ cents: [100] })
})
