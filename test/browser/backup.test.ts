// A saved history of 100,000 events is opened in a real browser: part by part, through real workers and IndexedDB.

import { afterEach, expect, test } from 'vitest'
import { importLog } from '../../src/engine/backup/import-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { type ImportProgress, openStore } from '../../src/index.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'
import { exportedParts } from '../support/exported-log.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { added, type cartApp } from '../worker/cart-app.ts'

const EVENTS = 100_000
const MIB = 1024 * 1024

const used = new Set<string>()
const newName = (): string => {
  const name = `backup-${crypto.randomUUID()}`
  used.add(name)
  return name
}
afterEach(() => {
  for (const name of used) indexedDB.deleteDatabase(name)
  used.clear()
})

const startWorker = () => new Worker(new URL('./cart-worker.ts', import.meta.url), { type: 'module' })

const open = (storeId: string, importFrom?: Parameters<typeof openStore>[1]['importFrom']) =>
  openStore<typeof cartApp>(startWorker, { storeId, ...(importFrom && { importFrom }) })

function deleted(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name)
    request.onsuccess = () => resolve()
    request.onerror = () => reject(request.error)
  })
}

test('a store that was lost comes back from its file, events, statuses and states, and is no wiped one', async () => {
  const storeId = newName()
  const store = await open(storeId)
  for (let n = 0; n < EVENTS; n += 10_000) {
    const events = Array.from({ length: 10_000 }, (_, i) => added(`sku-${i % 50}`))
    await store.appendToStream(`cart-${n}`, events)
  }
  const file = await new Response(store.export()).blob()
  const before = await store.projection('contents').get('cart-0')
  await store.close()
  await deleted(storeId)
  const told: ImportProgress[] = []
  const again = await open(storeId, { file, onProgress: progress => told.push(progress) })
  expect(await again.verify()).toMatchObject({ ok: true, events: EVENTS })
  expect(await again.projection('contents').get('cart-0')).toEqual(before)
  expect(again.sync.status().getSnapshot().pending).toBe(EVENTS)
  expect(again.integrity().getSnapshot().verdicts).toEqual([])
  expect(new Set(told.map(({ phase }) => phase))).toEqual(new Set(['verifying', 'writing']))
  await again.close()
}, 120_000)

test('no more than some parts of the file are in memory at once', async () => {
  const [from, to] = [newName(), newName()]
  const log = await openLog({ storage: indexedDbStorage({ name: from }), storeId: 'shop' })
  const store = createEventStore(log)
  for (let n = 0; n < 10; n++) {
    const events = Array.from({ length: 10_000 }, (_, i) => ({ type: 'Said', data: 'x'.repeat(i % 100) }))
    await store.appendToStream(`s-${n}`, events)
  }
  const file = new Blob(await exportedParts(log))
  await log.close()
  expect(file.size).toBeGreaterThan(10 * MIB)
  let largest = 0
  const slice = file.slice.bind(file)
  file.slice = (start = 0, end = file.size, ...rest) => {
    largest = Math.max(largest, Math.min(end, file.size) - start)
    return slice(start, end, ...rest)
  }
  const inner = indexedDbStorage({ name: to })
  const storage = wrapStorage(inner, {
    put: values => {
      const sizes = Object.values(values).map(value => value?.length ?? 0)
      largest = Math.max(
        largest,
        sizes.reduce((sum, one) => sum + one, 0),
      )
      return inner.put(values)
    },
  })
  await importLog({
    storage,
    storeId: 'shop',
    hash: await createSha256(),
    file,
    replace: false,
    onProgress: () => {},
    signal: new AbortController().signal,
  })
  expect(largest).toBeLessThan(2 * MIB)
  const imported = await openLog({ storage: indexedDbStorage({ name: to }), storeId: 'shop' })
  expect(await imported.verify()).toMatchObject({ ok: true, events: EVENTS })
  await imported.close()
}, 120_000)
