// Waits of a page for something in the worker: asked again and again, since no call may take longer than its deadline.

import { StoreError } from '../log/errors.ts'

/** A worker is asked again so often, well within any deadline of a call. */
const WAIT_MS = 2_000

export type WaitOptions = Readonly<{
  /** Whether it came to be within `waitMs`. */
  ask: (waitMs: number) => Promise<boolean>
  timeoutMs: number | undefined
  signal: AbortSignal | undefined
  /** What is thrown when the time is over. */
  late: () => StoreError
}>

/** @throws what `late` gives; `StoreError` `aborted` */
export async function waitInWorker({ ask, timeoutMs = Infinity, signal, late }: WaitOptions): Promise<void> {
  const end = performance.now() + timeoutMs
  for (;;) {
    if (signal?.aborted) throw new StoreError('aborted', 'The wait was aborted')
    const waitMs = Math.min(WAIT_MS, Math.max(end - performance.now(), 0))
    const asked = ask(waitMs)
    if (await (signal ? Promise.race([asked, abortOf(signal)]) : asked)) return
    if (performance.now() >= end && !signal?.aborted) throw late()
  }
}

const abortOf = (signal: AbortSignal): Promise<false> =>
  new Promise(resolve => signal.addEventListener('abort', () => resolve(false), { once: true }))
