// Ends what has gone silent: a request without an answer, a stream on a connection that is half open.

import type { Clock } from './clock.ts'

export type Watchdog = Readonly<{
  /** Aborted when the owner aborts or nothing was heard for too long. */
  signal: AbortSignal
  hasBitten: () => boolean
  /** A sign of life: the patience begins anew. */
  heard: () => void
  /** Must be called in the end; nothing is watched any more. */
  release: () => void
}>

export function createWatchdog(clock: Clock, patienceMs: number, owner: AbortSignal): Watchdog {
  const controller = new AbortController()
  let bitten = false
  let timer = arm()
  owner.addEventListener('abort', abort)
  if (owner.aborted) abort()

  return { signal: controller.signal, hasBitten: () => bitten, heard, release: abort }

  function arm() {
    return clock.setTimeout(() => {
      bitten = true
      abort()
    }, patienceMs)
  }

  function heard(): void {
    if (controller.signal.aborted) return
    clock.clearTimeout(timer)
    timer = arm()
  }

  function abort(): void {
    clock.clearTimeout(timer)
    // By hand: with `{ signal }` Node 20 forgets to remove a listener once garbage was collected in between.
    owner.removeEventListener('abort', abort)
    controller.abort()
  }
}

/** Settles as the promise does, or rejects once the signal aborts: for what may never settle of its own. */
export function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}
