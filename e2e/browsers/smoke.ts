// What every browser has to show, whoever drives it: append, chain, reload, verify, two tabs, sync.

import { expect } from 'vitest'
import type { Harness } from '../harness/main.ts'

/** A tab of the browser under test. */
export type Tab = Readonly<{
  open: (url: string) => Promise<void>
  /** Runs an expression of a promise in the page and gives its value. */
  evaluate: <T>(expression: string) => Promise<T>
}>

export type SmokeParts = Readonly<{ first: Tab; second: Tab; url: string; syncUrl: string; storeId: string }>

export async function smoke({ first, second, url, syncUrl, storeId }: SmokeParts): Promise<void> {
  for (const tab of [first, second]) await openStore(tab, url, storeId)
  await Promise.all([first, second].map((tab, n) => step(tab, `count(${n}, 25)`)))
  const { versions, events } = await step<Awaited<ReturnType<Harness['counted']>>>(first, 'counted()')
  expect(versions).toEqual(Array.from({ length: 50 }, (_, i) => i + 1))
  expect(new Set(events).size).toBe(50)

  await openStore(first, url, storeId)
  expect(await step(first, 'counted()')).toEqual({ versions, events })
  expect(await step(first, 'verify()')).toMatchObject({ ok: true, events: 50 })
  expect(await step(first, 'total()')).toBe(50)

  await openStore(first, url, storeId, syncUrl)
  expect(await step(first, 'synced(50)')).toBe(50)
  await step(first, 'close()')
  await step(second, 'close()')
  await openStore(second, url, `${storeId}-again`)
  await step(second, 'close()')
}

/** A replica of the same store in a browser that never saw it: everything comes from the server. */
export async function smokeFreshReplica(
  tab: Tab,
  { url, syncUrl, storeId }: Omit<SmokeParts, 'first' | 'second'>,
) {
  await openStore(tab, url, storeId, syncUrl)
  expect(await step(tab, 'synced(50)')).toBe(50)
  expect(await step(tab, 'total()')).toBe(50)
  expect(await step(tab, 'verify()')).toMatchObject({ ok: true, events: 50 })
}

async function openStore(tab: Tab, url: string, storeId: string, syncUrl?: string): Promise<void> {
  await tab.open(url)
  await expect
    .poll(() => tab.evaluate(`Promise.resolve('harness' in globalThis)`), { timeout: 30_000 })
    .toBe(true)
  await step(tab, `open(${JSON.stringify(storeId)}, ${JSON.stringify(syncUrl) ?? 'undefined'})`)
}

const step = <T>(tab: Tab, call: string): Promise<T> => tab.evaluate<T>(`globalThis.harness.${call}`)
