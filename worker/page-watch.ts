// Notices that a page of a shared worker is gone, however it went: closed, crashed, or silent, as one that is frozen.

import { watchLifeLock } from '../src/protocol/life-lock.ts'
import type { PageApi } from '../src/protocol/worker-api.ts'

/** How often a page is asked for a sign of life. */
const PING_MS = 10_000
/** So many signs in a row that did not come: counted, since a machine that slept is no page that is frozen. */
const MOST_MISSED = 6

export type PageWatchOptions = Readonly<{
  page: Pick<PageApi, 'ping'>
  /** That the page holds while it lives. */
  lock: string | null
  onGone: () => void
  /** Ends watching. */
  signal: AbortSignal
}>

export function watchPage({ page, lock, onGone, signal }: PageWatchOptions): void {
  watchLifeLock(lock, onGone, signal)
  let missed = 0
  const heard = (): void => {
    missed = 0
  }
  const pinging = setInterval(() => {
    if (missed === MOST_MISSED) return onGone()
    missed++
    void page.ping().then(heard)
  }, PING_MS)
  signal.addEventListener('abort', () => clearInterval(pinging), { once: true })
}
