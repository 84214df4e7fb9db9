// The name that the tabs of one store know each other by. Kept in the store: an app that shares the origin, and
// even the store's id, has another.

import { textOf, utf8 } from '../src/log/bytes.ts'
import { newEventId } from '../src/log/event-id.ts'
import type { LogStorage } from '../src/storage/log-storage.ts'
import { underLock } from './web-lock.ts'

const KEY = 'tabs/name'

export async function sharedNameOf(storage: Pick<LogStorage, 'get' | 'put'>): Promise<string> {
  const known = await storage.get(KEY)
  if (known) return textOf(known)
  // Two tabs that open a new store at once must not both name it.
  return underLock('streamdingo:naming', async () => {
    const first = await storage.get(KEY)
    if (first) return textOf(first)
    const name = `streamdingo:${newEventId()}`
    await storage.put({ [KEY]: utf8(name) })
    return name
  })
}
