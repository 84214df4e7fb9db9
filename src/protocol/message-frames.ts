// The binary body of pull and push: a JSON head, then commits as blocks. What comes in is a stranger's.

import { Block, type StoredBlock } from '../log/block.ts'
import { BlockWriter } from '../log/block-writer.ts'
import { ByteReader, ByteWriter, MalformedBytes, textOf, utf8 } from '../log/bytes.ts'
import { SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import { MAX_NAME_BYTES } from '../log/event-batch.ts'
import { type Entry, KIND_EVENT } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { JsonColumn } from '../log/json-column.ts'
import { jsonSlice } from '../log/json-column.ts'
import { MAX_JSON_DEPTH, nestsTooDeep } from '../log/json-text.ts'

export type Commits = readonly (readonly Entry[])[]

/** What is wrong with a message, for the answer and for the log of whoever runs the server. */
export type MessageFault = 'framing' | 'json' | 'block' | 'entry' | 'unexpected'

/** A message that is not what the protocol says it is. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
  readonly fault: MessageFault

  constructor(fault: MessageFault, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.fault = fault
  }
}

/** `u32 length || JSON head`, then `u32 length || block` to the end. Notes stay with their author. */
export async function encodeFrames(
  head: object,
  commits: Commits,
  hash: HashProvider,
): Promise<Uint8Array<ArrayBuffer>> {
  const blocks = await blocksOf(commits, hash)
  const headBytes = utf8(JSON.stringify(head))
  const writer = new ByteWriter(
    blocks.reduce((sum, { bytes }) => sum + bytes.length + 4, headBytes.length + 4),
  )
  for (const bytes of [headBytes, ...blocks.map(({ bytes }) => bytes)]) {
    writer.u32(bytes.length)
    writer.raw(bytes)
  }
  return writer.bytes().slice()
}

/**
 * Whole commits of well-formed entries. Whether their hashes and links hold is for the log to say that takes
 * them in.
 *
 * @throws {@link MalformedMessage}
 */
export function decodeFrames(bytes: Uint8Array): { head: unknown; commits: Entry[][] } {
  try {
    const reader = new ByteReader(bytes)
    const head = parseJson(reader.raw(reader.u32()), 'the head')
    const commits: Entry[][] = []
    let open: Entry[] = []
    while (reader.remaining > 0) open = addCommits(commits, open, readBlock(reader))
    if (open.length > 0) throw new MalformedMessage('block', 'the last commit does not end')
    return { head, commits }
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause
    throw new MalformedMessage('framing', cause.message, { cause })
  }
}

/** @throws {@link MalformedMessage} for bytes that are no JSON, or nest too deep to look at. */
export function parseJson(bytes: Uint8Array, what: string, depth = MAX_JSON_DEPTH): unknown {
  if (nestsTooDeep(bytes, depth)) throw new MalformedMessage('json', `${what} nests deeper than ${depth}`)
  try {
    return JSON.parse(textOf(bytes))
  } catch (cause) {
    throw new MalformedMessage('json', `${what} is no JSON`, { cause })
  }
}

function blocksOf(commits: Commits, hash: HashProvider): Promise<StoredBlock[]> {
  const writer = new BlockWriter(hash, 1)
  for (const commit of commits) {
    for (const entry of commit) writer.add(entry)
    writer.endCommit(null)
  }
  return writer.finish()
}

function readBlock(reader: ByteReader): Block {
  const bytes = reader.raw(reader.u32())
  try {
    return new Block(bytes)
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause
    throw new MalformedMessage('block', `the block ${cause.message}`, { cause })
  }
}

/** Adds the commits that end in the block; returns the entries of the one that goes on in the next. */
function addCommits(commits: Entry[][], open: Entry[], block: Block): Entry[] {
  checkDictionaries(block)
  checkColumn(block.payloads, 'a payload')
  checkColumn(block.metadata, 'metadata')
  let current = open
  let next = 0
  for (let i = 0; i < block.count; i++) {
    if (block.kinds[i] !== KIND_EVENT) throw new MalformedMessage('entry', 'only events are sent')
    current.push(block.entry(i))
    if (block.commits[next]?.lastIndex !== i) continue
    if (block.commits[next]!.note !== null)
      throw new MalformedMessage('block', 'a note belongs to its author alone')
    commits.push(current)
    current = []
    next++
  }
  return current
}

function checkDictionaries(block: Block): void {
  for (const { streamName } of block.segments) {
    checkName(streamName)
    if (streamName.startsWith(SYSTEM_STREAM_PREFIX))
      throw new MalformedMessage('entry', 'a stream of the system')
  }
  for (const { type, schemaVersion } of block.types) {
    checkName(type)
    if (schemaVersion === 0) throw new MalformedMessage('entry', 'a schema version of 0')
  }
}

function checkName(name: string): void {
  if (name === '' || name.includes('\0') || utf8(name).length > MAX_NAME_BYTES) {
    throw new MalformedMessage('entry', `a name must have 1 to ${MAX_NAME_BYTES} bytes, and no U+0000`)
  }
}

/** Each value is parsed alone: parsed together, two bad ones could make a good array. */
function checkColumn(column: JsonColumn, what: string): void {
  for (let i = 0; i < column.ends.length; i++) parseJson(jsonSlice(column, i), what)
}
