// Encryption in a real browser: keys in IndexedDB that no script reads out, two tabs of a store, a key that is destroyed
// while a view is open.

import { afterEach, expect, test } from 'vitest'
import { type App, openStore } from '../../src/index.ts'
import type { notesApp } from './notes-app.ts'

const SECRET = 'the-name-of-somebody'

const used = new Set<string>()
afterEach(() => {
  for (const name of used) indexedDB.deleteDatabase(name)
  used.clear()
})

const startWorker = () => new Worker(new URL('./encryption-worker.ts', import.meta.url), { type: 'module' })
const open = (storeId: string) => openStore<typeof notesApp & App>(startWorker, { storeId })

function database(name: string): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name)
    request.onsuccess = () => resolve(request.result)
    request.onerror = () => reject(request.error)
  })
}

/** Whether any value of the database has the text in it. */
async function holds(name: string, text: string): Promise<boolean> {
  const opened = await database(name)
  const bytes = new TextEncoder().encode(text)
  let found = false
  for (const store of opened.objectStoreNames) {
    const values = await new Promise<unknown[]>(resolve => {
      const request = opened.transaction(store).objectStore(store).getAll()
      request.onsuccess = () => resolve(request.result)
    })
    for (const value of values) found ||= hasBytes(value, bytes)
  }
  opened.close()
  return found
}

function hasBytes(value: unknown, wanted: Uint8Array): boolean {
  if (value instanceof ArrayBuffer) return hasBytes(new Uint8Array(value), wanted)
  if (value instanceof Uint8Array) {
    for (let i = 0; i + wanted.length <= value.length; i++) {
      let n = 0
      while (n < wanted.length && value[i + n] === wanted[n]) n++
      if (n === wanted.length) return true
    }
    return false
  }
  if (typeof value === 'string') return value.includes(new TextDecoder().decode(wanted))
  return (
    typeof value === 'object' && value !== null && Object.values(value).some(part => hasBytes(part, wanted))
  )
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(resolve => setTimeout(resolve, 20))
}

test('a key that is destroyed while views are open takes the subject out of two tabs and the database', async () => {
  const storeId = `encryption-${crypto.randomUUID()}`
  used.add(storeId)
  const [one, other] = [await open(storeId), await open(storeId)]
  await one.keys.add('note-1', crypto.getRandomValues(new Uint8Array(32)))
  await one.keys.add('note-2', crypto.getRandomValues(new Uint8Array(32)))
  for (const text of [SECRET, 'b', 'c'])
    await one.appendToStream('note-1', [{ type: 'Noted', data: { text } }])
  await other.appendToStream('note-2', [{ type: 'Noted', data: { text: 'stays' } }])
  const views = [one.view('notes', 'note-1'), other.view('notes', 'note-1'), other.view('notes', 'note-2')]
  for (const view of views) view.subscribe(() => {})
  await until(() => views.slice(0, 2).every(view => view.getSnapshot()?.state.length === 3))
  await until(() => views[2]!.getSnapshot()?.state.length === 1)
  // A snapshot of the state is written a moment later, in clear.
  await until(() => holds(storeId, SECRET))

  await one.keys.destroy('note-1')
  await until(() => views.slice(0, 2).every(view => view.getSnapshot() === null))
  expect(views[2]!.getSnapshot()?.state).toEqual(['stays'])
  expect(await holds(storeId, SECRET)).toBe(false)
  expect(await other.keys.list()).toEqual([
    { keyId: 'note-1', state: 'destroyed' },
    { keyId: 'note-2', state: 'here' },
  ])
  await expect(other.keys.add('note-1', new Uint8Array(32))).rejects.toMatchObject({ code: 'key-destroyed' })
  const file = await new Response(one.export()).text()
  expect(file).not.toContain(SECRET)
  expect(file).not.toContain('stays')
  expect(await one.verify()).toMatchObject({ ok: true })
  await one.close()
  await other.close()
  expect(await holds(storeId, SECRET)).toBe(false)

  const again = await open(storeId)
  expect((await again.projection('notes').get('note-2'))?.state).toEqual(['stays'])
  expect(await again.projection('notes').get('note-1')).toBeNull()
  await again.close()
}, 30_000)

test('keys are kept so that no script reads them out', async () => {
  const storeId = `encryption-${crypto.randomUUID()}`
  used.add(storeId)
  const store = await open(storeId)
  const given = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, true, [
    'encrypt',
    'decrypt',
  ])
  await store.keys.add('note-1', given)
  await store.appendToStream('note-1', [{ type: 'Noted', data: { text: 'a' } }])
  await store.close()
  const keys = await database('streamdingo-keys')
  const kept = await new Promise<{ key: CryptoKey }[]>(resolve => {
    const request = keys.transaction('keys').objectStore('keys').getAll()
    request.onsuccess = () => resolve(request.result)
  })
  keys.close()
  expect(kept.length).toBeGreaterThan(0)
  for (const { key } of kept.filter(one => 'key' in one)) {
    expect(key.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('raw', key)).rejects.toThrow()
  }
  const again = await open(storeId)
  expect((await again.readStream('note-1')).events).toMatchObject([{ data: { text: 'a' } }])
  // The same key again changes nothing; another one under its name is refused.
  await again.keys.add('note-1', given)
  await expect(again.keys.add('note-1', new Uint8Array(32))).rejects.toMatchObject({
    code: 'invalid-argument',
  })
  await again.close()
})
