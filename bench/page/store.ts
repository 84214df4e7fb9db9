// The store that the scenarios measure, and the ways of filling it.

import { openStore, type StoreClient } from 'streamdingo'
import { makeEvents } from '../events.ts'
import { streamRuns } from '../stream-runs.ts'
import type { BenchEvent, Folded } from '../subject.ts'
import type { ScenarioApp } from './app.ts'
import { timed } from './clock.ts'

export type Store = StoreClient<ScenarioApp>

export const BATCH = 1_000
/** Batches on their way at once: enough to keep page, worker and disk busy together. */
const IN_FLIGHT = 4
/** Events that are made before the clock runs: all of a million would fill the page's memory. */
const MADE_AT_ONCE = 50_000
/** Ten thousand questions at once are answered in more than the usual half minute on a slow machine. */
const CALL_TIMEOUT_MS = 300_000

export function openBenchStore(storeId: string, syncUrl: string | null = null): Promise<Store> {
  return openOn(
    () => new Worker(new URL('./store-worker.ts', import.meta.url), { type: 'module' }),
    storeId,
    syncUrl,
  )
}

/** A store that encrypts all that is appended, once it has the key `all`. */
export function openEncryptingStore(storeId: string): Promise<Store> {
  return openOn(
    () => new Worker(new URL('./encrypting-worker.ts', import.meta.url), { type: 'module' }),
    storeId,
    null,
  )
}

/** The store with that id on a second device. */
export function openSecondDevice(storeId: string, syncUrl: string | null): Promise<Store> {
  return openOn(
    () => new Worker(new URL('./second-device-worker.ts', import.meta.url), { type: 'module' }),
    storeId,
    syncUrl,
  )
}

function openOn(worker: () => Worker, storeId: string, syncUrl: string | null): Promise<Store> {
  return openStore<ScenarioApp>(worker, {
    storeId,
    callTimeoutMs: CALL_TIMEOUT_MS,
    // To the demo's server, who knows a store's name may use it.
    ...(syncUrl && { sync: { url: syncUrl, token: storeId } }),
  })
}

/** A store for as long as the work takes. */
export async function withStore<T>(storeId: string, work: (store: Store) => Promise<T>): Promise<T> {
  const store = await openBenchStore(storeId)
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** Appends made-up events in batches. Gives the milliseconds that the appends took, the making left out. */
export async function importEvents(store: Store, count: number, streams = 10): Promise<number> {
  let ms = 0
  for (let from = 0; from < count; from += MADE_AT_ONCE) {
    const batches = batchesOf(makeEvents(from, Math.min(MADE_AT_ONCE, count - from), streams))
    ms += await timed(() => appendBatches(store, batches))
  }
  return ms
}

export function batchesOf(events: readonly BenchEvent[]): BenchEvent[][] {
  const batches: BenchEvent[][] = []
  for (let at = 0; at < events.length; at += BATCH) batches.push(events.slice(at, at + BATCH))
  return batches
}

export async function appendBatches(
  store: Pick<Store, 'appendToStreams'>,
  batches: readonly BenchEvent[][],
): Promise<void> {
  const waiting: Promise<unknown>[] = []
  for (const batch of batches) {
    if (waiting.length === IN_FLIGHT) await waiting.shift()
    waiting.push(store.appendToStreams(streamRuns(batch)))
  }
  await Promise.all(waiting)
}

/** @throws when a document does not have so many events folded into it: something else was measured. */
export function assertFolded(document: { state: Folded } | null | undefined, events: number): void {
  const folded = document?.state.events ?? 0
  if (folded !== events) throw new Error(`${events} events were appended, and ${folded} were folded`)
}
