import { expect, test } from 'vitest'
import { SnapshotCleanup } from '../../../src/engine/replay/snapshot-cleanup.ts'
import { keyOf, prefixOf, readKey } from '../../../src/engine/replay/snapshot-key.ts'
import type { SnapshotOwner } from '../../../src/engine/replay/snapshot-record.ts'
import type { App } from '../../../src/model/app.ts'
import { append, count, openDevice, openServer, pull } from './replicas.ts'

const cart = { canHandle: ['Said'], initialState: () => 0, evolve: () => 0 }
const app: App = {
  projections: { cart },
  deciders: { shop: { ...cart, streamName: id => id, decide: () => [] } },
}
const now = Math.floor(Date.now() / 1_000)
const DAY = 24 * 60 * 60

const OF_CART: SnapshotOwner = { kind: 'projection', name: 'cart', streamName: 'a' }

function keyAt(position: number, { owner = OF_CART, savedAt = now, bytes = 100 } = {}): string {
  const kept = { key: '', position, version: position, amendedAt: 0, codeId: 'c', savedAt, bytes }
  return keyOf(prefixOf(owner), kept)
}

async function cleanUp(keys: readonly string[], maxBytes?: number) {
  const log = await openDevice()
  await count(log, 'a', 1, 50)
  await log.storage.put(Object.fromEntries(keys.map(key => [key, new Uint8Array(1)])))
  const cleanup = new SnapshotCleanup({ log, app, ...(maxBytes !== undefined && { maxBytes }) })
  await cleanup.run()
  return { log, cleanup, left: await log.storage.keys('snapshot/', 1_000) }
}

test('snapshots of the app stay, however old, and those of another app for two weeks', async () => {
  const mine = [
    keyAt(10, { savedAt: 0 }),
    keyAt(20, { owner: { ...OF_CART, kind: 'decider', name: 'shop' }, savedAt: 0 }),
  ]
  const other = { ...OF_CART, name: 'car' }
  const young = keyAt(30, { owner: other, savedAt: now - 13 * DAY })
  const old = keyAt(40, { owner: other, savedAt: now - 15 * DAY })
  const { left } = await cleanUp([...mine, young, old])
  expect(left).toEqual([...mine, young].sort())
})

test('keys of an older version of this library, or of somebody else, are deleted', async () => {
  const foreign = ['snapshot/projection/cart/a/0000000000000010/10', keyAt(20).replace('/cart/', '/%E0/')]
  const { left } = await cleanUp([keyAt(10), ...foreign])
  expect(left).toEqual([keyAt(10)])
})

test('over the limit, the oldest go first, and the newest of each document stays', async () => {
  const keys = [1, 2, 3, 4].map(n => keyAt(n * 10, { savedAt: now + n }))
  const single = keyAt(5, { owner: { ...OF_CART, streamName: 'b' }, savedAt: 0 })
  const versionsLeft = async (maxBytes: number) =>
    (await cleanUp([...keys, single], maxBytes)).left.map(key => readKey(key)!.version)
  expect(await versionsLeft(500)).toEqual([10, 20, 30, 40, 5])
  expect(await versionsLeft(400)).toEqual([20, 30, 40, 5])
  expect(await versionsLeft(0)).toEqual([40, 5])
})

test('what a rebase superseded goes, and what stands past the end of what is known stays', async () => {
  const [log, server] = [await openDevice(), await openServer()]
  await count(log, 'a', 1, 5)
  await append(server, 'a', { data: 'theirs' })
  await pull(log, server)
  const keys = [keyAt(3), keyAt(8), keyAt(99)]
  await log.storage.put(Object.fromEntries(keys.map(key => [key, new Uint8Array(1)])))
  await new SnapshotCleanup({ log, app }).run()
  expect(await log.storage.keys('snapshot/', 10)).toEqual([keyAt(8), keyAt(99)])
})

test('it is done once', async () => {
  const { log, cleanup } = await cleanUp([])
  await log.storage.put({ 'snapshot/nonsense': new Uint8Array(1) })
  await cleanup.run()
  expect(await log.storage.keys('snapshot/', 10)).toEqual(['snapshot/nonsense'])
})
