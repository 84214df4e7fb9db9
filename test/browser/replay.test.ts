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
