// Waits of a page for something in the worker: asked again and again, since no call may take longer than its deadline.

import { StoreError } from '../log/errors.ts'
import type { WorkerLink } from './worker-link.ts'

/** A worker is asked again so often, or twice within the deadline of a call where that is shorter. */
const WAIT_MS = 2_000

export type WaitOptions = Readonly<{
  link: Pick<WorkerLink, 'callTimeoutMs'>
  /** Whether it came to be within `waitMs`. */
  ask: (waitMs: number) => Promise<boolean>
  timeoutMs: number | undefined
  signal: AbortSignal | undefined
  /** What is thrown when the time is over. */
  late: () => StoreError
}>

/** @throws what `late` gives; `StoreError` `aborted` */
export async function waitInWorker(options: WaitOptions): Promise<void> {
  const { link, ask, timeoutMs = Infinity, signal, late } = options
  const end = performance.now() + timeoutMs
  const longestMs = Math.min(WAIT_MS, link.callTimeoutMs / 2)
  const askNow = () => ask(Math.min(longestMs, Math.max(end - performance.now(), 0)))
  const life = new AbortController()
  const aborted = signal && abortOf(signal, life.signal)
  try {
    do {
      if (signal?.aborted) throw new StoreError('aborted', 'The wait was aborted')
      if (await (aborted ? Promise.race([askNow(), aborted]) : askNow())) return
    } while (performance.now() < end || signal?.aborted)
  } finally {
    life.abort()
  }
  throw late()
}

const abortOf = (aborting: AbortSignal, signal: AbortSignal): Promise<false> =>
  new Promise(resolve => aborting.addEventListener('abort', () => resolve(false), { once: true, signal }))
