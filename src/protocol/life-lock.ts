// Tells the other side of a port of this side's end, however it ends: the lock is freed by the browser.

import { newEventId } from '../log/event-id.ts'

/**
 * Name of a Web Lock that is held from now on until this context is gone, or the signal aborts; null where there are no
 * Web Locks.
 */
export async function holdLifeLock(signal?: AbortSignal): Promise<string | null> {
  const locks = globalThis.navigator?.locks
  if (!locks) return null
  const name = `streamdingo:life:${newEventId()}`
  return new Promise(resolve => {
    const held = locks.request(name, () => {
      resolve(name)
      return new Promise<void>(free => signal?.addEventListener('abort', () => free(), { once: true }))
    })
    // Some origins have locks and may not use them.
    held.catch(() => resolve(null))
  })
}

/**
 * Calls `onGone` when who holds the lock of this name is gone. Any number may watch one: of all that wait, none stands in
 * the way of another, not even one that is frozen.
 */
export function watchLifeLock(name: string | null, onGone: () => void, signal: AbortSignal): void {
  const locks = globalThis.navigator?.locks
  if (name === null || !locks || signal.aborted) return
  const granted = locks.request(name, { mode: 'shared', signal }, () => {
    if (!signal.aborted) onGone()
  })
  // Rejects when the signal aborts before the lock is granted.
  granted.catch(() => {})
}
