// Tells the page of this worker's end, however it ends: the lock is freed by the browser.

import { newEventId } from '../src/log/event-id.ts'

/** Name of a Web Lock that is held from now on until the worker is gone; null where there are no Web Locks. */
export async function holdLifeLock(): Promise<string | null> {
  const locks = globalThis.navigator?.locks
  if (!locks) return null
  const name = `streamdingo:life:${newEventId()}`
  return new Promise(resolve => {
    const held = locks.request(name, () => {
      resolve(name)
      return new Promise<never>(() => {})
    })
    // Some origins have locks and may not use them.
    held.catch(() => resolve(null))
  })
}
