// A whole log as one file: what it is, then its blocks as they are stored. Read from the beginning to the end.

import { ByteReader, ByteWriter, equalBytes, MalformedBytes, textOf, utf8 } from '../log/bytes.ts'
import { malformed } from './malformed.ts'

const MAGIC = utf8('SDX1')
const END = 0

/** What a file says of its log. */
export type LogFileHead = Readonly<{
  storeId: string
  /** Entries in it: all that the log had. */
  size: number
  /** Milliseconds since the Unix epoch. */
  exportedAt: number
  /** Of these entries, as a note; without a signature where this device cannot sign. */
  checkpoint: string
}>

export type LogFile = Readonly<{ head: LogFileHead; blocks: readonly Uint8Array<ArrayBuffer>[] }>

/** How a file begins. */
export function logFileStart(head: LogFileHead): Uint8Array<ArrayBuffer> {
  const text = utf8(JSON.stringify(head))
  const writer = new ByteWriter(MAGIC.length + 4 + text.length)
  writer.raw(MAGIC)
  writer.u32(text.length)
  writer.raw(text)
  return writer.bytes()
}

/** Blocks, each behind its length. Behind the last ones the file ends: where it does not, it was cut off. */
export function logFileBlocks(blocks: readonly Uint8Array[], isEnd: boolean): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter(blocks.reduce((sum, { length }) => sum + 4 + length, 4))
  for (const bytes of blocks) {
    writer.u32(bytes.length)
    writer.raw(bytes)
  }
  if (isEnd) writer.u32(END)
  return writer.bytes()
}

export const isLogFile = (bytes: Uint8Array): boolean => equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)

/** What is in the blocks is not looked at. @throws `StoreError` `malformed-proof` */
export function parseLogFile(bytes: Uint8Array): LogFile {
  try {
    const reader = new ByteReader(bytes)
    if (!equalBytes(reader.raw(MAGIC.length), MAGIC)) throw malformed('this is no exported log')
    const head = headFrom(JSON.parse(textOf(reader.raw(reader.u32()))))
    const blocks: Uint8Array<ArrayBuffer>[] = []
    for (let length = reader.u32(); length !== END; length = reader.u32()) {
      blocks.push(Uint8Array.from(reader.raw(length)))
    }
    reader.end()
    return { head, blocks }
  } catch (error) {
    if (!(error instanceof MalformedBytes || error instanceof SyntaxError || error instanceof TypeError))
      throw error
    throw malformed(`the file is cut off or damaged: ${error.message}`)
  }
}

function headFrom(value: unknown): LogFileHead {
  const { storeId, size, exportedAt, checkpoint } = value as LogFileHead
  const isHead = typeof storeId === 'string' && typeof checkpoint === 'string'
  if (!isHead || ![size, exportedAt].every(Number.isSafeInteger))
    throw malformed('the head of the file is none')
  return { storeId, size, exportedAt, checkpoint }
}
