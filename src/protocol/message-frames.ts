// The binary body of pull and push: a JSON head, then commits as blocks. What comes in is a stranger's.

import { BLOCK_MAGIC, Block, type StoredBlock } from '../log/block.ts'
import { BlockWriter } from '../log/block-writer.ts'
import { ByteReader, ByteWriter, equalBytes, MalformedBytes, utf8 } from '../log/bytes.ts'
import { type Entry, isKnownKind, KIND_ERASED } from '../log/entry.ts'
import { erasedBodyOf, isShared } from '../log/erased-entry.ts'
import { InvalidEvent } from '../log/errors.ts'
import { SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import { checkName, MAX_EVENT_BYTES, RESERVED_METADATA } from '../log/event-batch.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { jsonSlice } from '../log/json-column.ts'
import { checkFaithful, MAX_JSON_DEPTH } from '../log/json-text.ts'
import { fieldsOf, MalformedMessage, parseJson } from './untrusted-json.ts'

export type Commits = readonly (readonly Entry[])[]

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
  return writer.bytes()
}

/**
 * Whole commits of events that an append here would have taken, too. Whether their hashes and links hold is for
 * the log to say that takes them in.
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

function blocksOf(commits: Commits, hash: HashProvider): Promise<StoredBlock[]> {
  const writer = new BlockWriter(hash, 1)
  for (const commit of commits) {
    for (const entry of commit) writer.add(entry)
    writer.endCommit(null)
  }
  return writer.finish()
}

const MAGIC = utf8(BLOCK_MAGIC)

function readBlock(reader: ByteReader): Block {
  const bytes = reader.raw(reader.u32())
  if (!equalBytes(bytes.subarray(0, MAGIC.length), MAGIC)) {
    throw new MalformedMessage('block', `a block of another format than ${BLOCK_MAGIC}`)
  }
  try {
    return new Block(bytes)
  } catch (cause) {
    if (!(cause instanceof MalformedBytes)) throw cause
    throw new MalformedMessage('block', `the block ${cause.message}`, { cause })
  }
}

/** Adds the commits that end in the block; returns the entries of the one that goes on in the next. */
function addCommits(commits: Entry[][], open: Entry[], block: Block): Entry[] {
  checkBlock(block)
  let current = open
  let next = 0
  for (let i = 0; i < block.count; i++) {
    current.push(block.entry(i))
    if (block.commits[next]?.lastIndex !== i) continue
    commits.push(current)
    current = []
    next++
  }
  return current
}

/** Holds a stranger's events to what an append is held to. */
function checkBlock(block: Block): void {
  if (block.commits.some(({ note }) => note !== null)) {
    throw new MalformedMessage('block', 'a note belongs to its author alone')
  }
  const unknown = block.kinds.find(kind => !isKnownKind(kind))
  if (unknown !== undefined) {
    throw new MalformedMessage('newer', `an entry of kind ${unknown}, which a newer release wrote`)
  }
  if (!block.kinds.every(isShared)) {
    throw new MalformedMessage('entry', 'only events and amendments are sent')
  }
  try {
    checkDictionaries(block)
    for (let i = 0; i < block.count; i++) {
      if (block.kinds[i] === KIND_ERASED) checkErased(block.entry(i))
      else checkEvent(jsonSlice(block.payloads, i), jsonSlice(block.metadata, i))
    }
  } catch (cause) {
    if (!(cause instanceof InvalidEvent)) throw cause
    throw new MalformedMessage('entry', cause.message, { cause })
  }
}

function checkDictionaries({ segments, types }: Block): void {
  for (const { streamName } of segments) {
    checkName(streamName, 'a stream name')
    if (streamName.startsWith(SYSTEM_STREAM_PREFIX)) {
      throw new MalformedMessage('entry', 'a stream of the system')
    }
  }
  for (const { type, schemaVersion } of types) {
    checkName(type, 'a type')
    if (schemaVersion === 0) throw new MalformedMessage('entry', 'a schema version of 0')
  }
}

function checkErased(entry: Entry): void {
  if (erasedBodyOf(entry)) return
  throw new MalformedMessage('entry', 'an erased event that is not in the form of one')
}

/** Each value is parsed alone: parsed together, two bad ones could make a good array. */
function checkEvent(payload: Uint8Array, metadata: Uint8Array): void {
  const size = payload.length + metadata.length
  if (size > MAX_EVENT_BYTES) {
    throw new MalformedMessage('entry', `an event of ${size} bytes, over the limit of ${MAX_EVENT_BYTES}`)
  }
  // JSON can write what no number holds, such as 1e999, and halves of characters.
  checkFaithful(parseJson(payload, 'a payload'), 'a payload')
  // What the application gave stands one level deeper than it was given.
  checkMetadata(parseJson(metadata, 'metadata', MAX_JSON_DEPTH + 1))
}

/** Readers count on the shape, and on the log's own names being the log's. */
function checkMetadata(value: unknown): void {
  const fields = fieldsOf(value)
  const { tags = [], metadata = {} } = fields
  if (!Array.isArray(tags)) throw new MalformedMessage('entry', 'tags that are no list')
  for (const tag of tags) checkName(tag, 'a tag')
  const custom = fieldsOf(metadata)
  const reserved = RESERVED_METADATA.find(name => Object.hasOwn(custom, name))
  if (reserved) throw new MalformedMessage('entry', `metadata that sets ${reserved}, as the log alone does`)
  checkFaithful(Object.keys(fields), 'metadata')
  // Also what nobody knows: it would be stored, and given out to whoever does.
  for (const part of Object.values(fields)) checkFaithful(part, 'metadata')
}
