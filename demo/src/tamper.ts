// Goes behind the store's back: changes a title inside a stored block, and mends the block's own checksum, as
// somebody would who knows the format. Only the hash chain can notice.

import { openDB } from 'idb'
import { databaseName } from './database-name.ts'

type StoredBlock = { firstPosition: number; lastPosition: number; bytes: Uint8Array<ArrayBuffer> }

export type Tampering = Readonly<{ original: StoredBlock; before: string; after: string }>

const DIGEST_BYTES = 32

/** @throws when the log has no card with a title yet. */
export async function tamper(storeId: string): Promise<Tampering> {
  const database = await openDB(databaseName(storeId))
  try {
    for (const original of (await database.getAll('blocks')) as StoredBlock[]) {
      const title = findTitle(original.bytes)
      if (!title) continue
      const bytes = original.bytes.slice()
      const after = title.text.split('').reverse().join('')
      bytes.set(new TextEncoder().encode(after), title.start)
      await seal(bytes)
      await database.put('blocks', { ...original, bytes })
      return { original, before: title.text, after }
    }
  } finally {
    database.close()
  }
  throw new Error('There is no card to tamper with yet')
}

export async function undoTampering(storeId: string, { original }: Tampering): Promise<void> {
  const database = await openDB(databaseName(storeId))
  await database.put('blocks', original)
  database.close()
}

/** A title in plain letters in the block's JSON, and where its bytes are. */
function findTitle(bytes: Uint8Array): { text: string; start: number } | null {
  // One character a byte, so that places in the text are places in the bytes.
  const text = new TextDecoder('latin1').decode(bytes)
  // The last one: events stand behind the notes in which a replica keeps its pending commands.
  const match = [...text.matchAll(/"title":"([A-Za-z][A-Za-z ,]*[A-Za-z])"/g)].at(-1)
  return match ? { text: match[1]!, start: match.index + '"title":"'.length } : null
}

async function seal(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const content = bytes.subarray(0, bytes.length - DIGEST_BYTES)
  bytes.set(new Uint8Array(await crypto.subtle.digest('SHA-256', content)), content.length)
}
