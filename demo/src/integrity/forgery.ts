// Goes behind the store's back: changes the words of an event in the browser's database and mends the block's own
// checksum, as somebody would who knows the format. Only the hash chain can notice.

import { openDB } from 'idb'

/** What was changed, which is also what it takes to change it back. */
export type Forgery = Readonly<{
  position: number
  /** The property of the event's data, and its words before and after, of the same length in bytes. */
  key: string
  before: string
  after: string
}>

type StoredBlock = Readonly<{ firstPosition: number; lastPosition: number; bytes: Uint8Array<ArrayBuffer> }>

const DIGEST_BYTES = 32
const MARK = 'FORGED '

/** @throws when the database does not hold these words at this position any more. */
export async function forge(
  database: string,
  { position, key, text }: Readonly<{ position: number; key: string; text: string }>,
): Promise<Forgery> {
  const forgery = { position, key, before: text, after: forgedText(text) }
  await replaceInBlock(database, forgery)
  return forgery
}

export function undoForgery(database: string, { position, key, before, after }: Forgery): Promise<void> {
  return replaceInBlock(database, { position, key, before: after, after: before })
}

async function replaceInBlock(name: string, { position, key, before, after }: Forgery): Promise<void> {
  const database = await openDB(name)
  try {
    // Blocks are keyed by their last position: the first at or behind this one holds it.
    const block: StoredBlock | undefined = await database.get('blocks', IDBKeyRange.lowerBound(position))
    const start = block ? lastIndexOf(block.bytes, propertyBytes(key, before)) : -1
    if (!block || start < 0) throw new Error(`“${before}” is not in the database any more`)
    const bytes = block.bytes.slice()
    bytes.set(propertyBytes(key, after), start)
    await sealAgain(bytes)
    await database.put('blocks', { ...block, bytes })
  } finally {
    database.close()
  }
}

/** As many bytes of JSON as the words had, or the rest of the block would move. */
function forgedText(text: string): string {
  const startsPlain = /^[ !#-[\]-~]{7}/.test(text)
  if (startsPlain) return (MARK + text.slice(MARK.length).trimStart()).padEnd(text.length)
  const { length } = new TextEncoder().encode(JSON.stringify(text).slice(1, -1))
  return MARK.repeat(Math.ceil(length / MARK.length)).slice(0, length)
}

const propertyBytes = (key: string, text: string): Uint8Array =>
  new TextEncoder().encode(JSON.stringify({ [key]: text }).slice(1, -1))

/** The last one is in the event; a command that is kept beside it has the same words, and stands before. */
function lastIndexOf(bytes: Uint8Array, wanted: Uint8Array): number {
  for (let start = bytes.length - DIGEST_BYTES - wanted.length; start >= 0; start--) {
    if (wanted.every((byte, i) => bytes[start + i] === byte)) return start
  }
  return -1
}

/** A block ends with the SHA-256 of everything before. */
async function sealAgain(bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  const content = bytes.subarray(0, bytes.length - DIGEST_BYTES)
  bytes.set(new Uint8Array(await crypto.subtle.digest('SHA-256', content)), content.length)
}
