// Holds the code to docs/record-format.md: the hashes are computed here a second time, from the document alone.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { StreamOrder } from '../../src/engine/amendments/stream-order.ts'
import { amendmentBytes, readAmendment } from '../../src/log/amendment.ts'
import { decodeBlock, sealedParts } from '../../src/log/block.ts'
import { BlockWriter } from '../../src/log/block-writer.ts'
import { bytesOfHex, hexOf, utf8 } from '../../src/log/bytes.ts'
import type { OnConflict } from '../../src/log/commit-note.ts'
import type { Entry, UnlinkedEntry } from '../../src/log/entry.ts'
import { erasedForm } from '../../src/log/erased-entry.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'

const GOLDEN = new URL('../golden/v1/', import.meta.url)

type GoldenEntry = Readonly<{
  kind: number
  streamName: string
  streamVersion: number
  previous: string
  hash: string
  recordedAt: number
  eventId: string
  salt: string
  type: string
  schemaVersion: number
  payload: string
  metadata: string
}>
type Golden = Readonly<{
  storeId: string
  firstPosition: number
  genesis: Record<string, string>
  entries: readonly GoldenEntry[]
  commits: readonly { lastIndex: number; note: null | { onConflict: OnConflict } }[]
}>

const goldenIn = <G extends Golden>(name: string): G =>
  JSON.parse(readFileSync(new URL(name, GOLDEN), 'utf8'))

const golden = goldenIn('block.json')
const goldenBytes = Uint8Array.from(readFileSync(new URL('block.bin', GOLDEN)))
/** A block with an amendment. */
const amended = goldenIn<Golden & { effectiveOrder: readonly number[] }>('amended.json')
const amendedBytes = Uint8Array.from(readFileSync(new URL('amended.bin', GOLDEN)))
/** The same block with one entry erased. */
const goldenErased = Uint8Array.from(readFileSync(new URL('erased.bin', GOLDEN)))
const ERASED = 1

const sha256 = (...parts: (string | Uint8Array)[]): string => {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return hash.digest('hex')
}
const u16 = (value: number): Buffer => Buffer.from([value >> 8, value & 255])
const u32 = (value: number): Buffer => Buffer.concat([u16(value >>> 16), u16(value & 0xffff)])
const u64 = (value: number): Buffer => Buffer.concat([u32(Math.floor(value / 2 ** 32)), u32(value % 2 ** 32)])
const lp16 = (text: string): Buffer => Buffer.concat([u16(Buffer.byteLength(text)), Buffer.from(text)])

const bodyByTheDocument = ({ salt, payload, metadata }: GoldenEntry): string =>
  sha256('streamdingo/1/body\0', Buffer.from(salt, 'hex'), u32(Buffer.byteLength(payload)), payload, metadata)

function hashByTheDocument(entry: GoldenEntry): string {
  return sha256(
    Uint8Array.of(0x00),
    'SDL1',
    Uint8Array.of(1, entry.kind),
    Buffer.from(entry.previous, 'hex'),
    u64(entry.streamVersion),
    u64(entry.recordedAt),
    Buffer.from(entry.eventId, 'hex'),
    lp16(entry.streamName),
    lp16(entry.type),
    u16(entry.schemaVersion),
    Buffer.from(bodyByTheDocument(entry), 'hex'),
  )
}

const toEntry = (one: GoldenEntry): Entry => ({
  ...one,
  previous: bytesOfHex(one.previous),
  hash: bytesOfHex(one.hash),
  eventId: bytesOfHex(one.eventId),
  salt: bytesOfHex(one.salt),
  payload: utf8(one.payload),
  metadata: utf8(one.metadata),
})

const toGolden = (entry: Entry): GoldenEntry => ({
  ...entry,
  previous: hexOf(entry.previous),
  hash: hexOf(entry.hash),
  eventId: hexOf(entry.eventId),
  salt: hexOf(entry.salt),
  payload: new TextDecoder().decode(entry.payload),
  metadata: new TextDecoder().decode(entry.metadata),
})

describe.each([
  ['events', golden, goldenBytes],
  ['an amendment', amended, amendedBytes],
] as const)('the golden file of version 1 with %s', (_name, golden, goldenBytes) => {
  test('the entries hash to what the document says', () => {
    for (const entry of golden.entries) expect(hashByTheDocument(entry)).toBe(entry.hash)
    for (const [streamName, genesis] of Object.entries(golden.genesis)) {
      expect(sha256('streamdingo/1/genesis\0', lp16(golden.storeId), lp16(streamName))).toBe(genesis)
    }
  })

  test('the code hashes them the same', async () => {
    const chain = new HashChain(await createSha256())
    for (const entry of golden.entries) expect(hexOf(chain.hashOf(toEntry(entry)))).toBe(entry.hash)
    for (const [streamName, genesis] of Object.entries(golden.genesis)) {
      expect(hexOf(chain.genesis(golden.storeId, streamName))).toBe(genesis)
    }
  })

  test('the block reads back to the entries and commits it was made of', () => {
    const block = decodeBlock(goldenBytes, golden.firstPosition)
    expect(block.firstPosition).toBe(golden.firstPosition)
    expect(golden.entries.map((_, i) => toGolden(block.entry(i)))).toEqual(golden.entries)
    expect(block.commits).toEqual(golden.commits)
  })

  test('the entries write to the same block, byte by byte', async () => {
    const writer = new BlockWriter(await createSha256(), golden.firstPosition)
    for (const [i, entry] of golden.entries.entries()) {
      writer.add(toEntry(entry))
      const commit = golden.commits.find(({ lastIndex }) => lastIndex === i)
      if (commit) writer.endCommit(commit.note)
    }
    const blocks = await writer.finish()
    expect(blocks).toHaveLength(1)
    expect(hexOf(blocks[0]!.bytes)).toBe(hexOf(goldenBytes))
  })

  test('the digest covers everything before it', () => {
    const { content, digest } = sealedParts(goldenBytes)
    expect(sha256(content)).toBe(hexOf(digest))
  })
})

describe('golden files of version 1', () => {
  test('an erased entry keeps its hash, and its block is that of the golden file', async () => {
    const hash = await createSha256()
    const chain = new HashChain(hash)
    const writer = new BlockWriter(hash, golden.firstPosition)
    for (const [i, one] of golden.entries.entries()) {
      const entry = toEntry(one)
      const erased = erasedForm(entry, chain.bodyOf(entry))
      // The store erases events of the application, and none of its own.
      if (one.kind === 0) {
        expect(toGolden(erased)).toEqual({
          ...one,
          kind: 0x80,
          salt: '0'.repeat(32),
          payload: `"${bodyByTheDocument(one)}"`,
          metadata: '{}',
        })
        expect(hexOf(chain.hashOf(erased))).toBe(one.hash)
      }
      writer.add(i === ERASED ? erased : entry)
      const commit = golden.commits.find(({ lastIndex }) => lastIndex === i)
      if (commit) writer.endCommit(commit.note)
    }
    const [block] = await writer.finish()
    expect(hexOf(block!.bytes)).toBe(hexOf(goldenErased))
    const read = decodeBlock(goldenErased, golden.firstPosition)
    expect(hexOf(chain.hashesOfBlock(read))).toBe(golden.entries.map(({ hash }) => hash).join(''))
  })

  test('an amendment says where events of its stream stand, in versions', () => {
    const amendment = toEntry(amended.entries.at(-1)!)
    const content = readAmendment(amendment.payload, amendment.streamVersion)
    expect(content).toEqual({
      reason: 'Zwölf statt zwei 🎲',
      changes: [
        { kind: 'replace', version: 2, by: 4 },
        { kind: 'insert', version: 5, after: 0 },
        { kind: 'remove', version: 1 },
        { kind: 'move', version: 3, after: 5 },
      ],
    })
    expect(hexOf(amendmentBytes(content!))).toBe(hexOf(amendment.payload))
  })

  test('what counts behind it is in the order that every release comes to', () => {
    const { payload, streamVersion } = toEntry(amended.entries.at(-1)!)
    const order = new StreamOrder()
    order.leaveOut(streamVersion)
    for (const change of readAmendment(payload, streamVersion)!.changes) order.apply(change)
    const counting = amended.entries.flatMap((_, i) => order.at(i + 1))
    expect(counting).toEqual(amended.effectiveOrder)
  })
})

describe('every field of an entry is hashed', () => {
  const base = toEntry(golden.entries[0]!)
  const changed: Partial<UnlinkedEntry>[] = [
    { kind: 1 },
    { previous: new Uint8Array(32) },
    { streamVersion: base.streamVersion + 1 },
    { recordedAt: base.recordedAt + 1 },
    { eventId: new Uint8Array(16) },
    { salt: new Uint8Array(16) },
    { streamName: `${base.streamName}x` },
    { type: `${base.type}x` },
    { schemaVersion: base.schemaVersion + 1 },
    { payload: utf8('0') },
    { metadata: utf8('{"tags":["x"]}') },
  ]
  for (const change of changed) {
    test(`a changed ${Object.keys(change)[0]} changes the hash`, async () => {
      const chain = new HashChain(await createSha256())
      expect(hexOf(chain.hashOf({ ...base, ...change }))).not.toBe(golden.entries[0]!.hash)
    })
  }

  test('a name cannot borrow from its neighbour', async () => {
    const chain = new HashChain(await createSha256())
    const one = chain.hashOf({ ...base, streamName: 'ab', type: 'c' })
    expect(hexOf(one)).not.toBe(hexOf(chain.hashOf({ ...base, streamName: 'a', type: 'bc' })))
    const payload = chain.hashOf({ ...base, payload: utf8('12'), metadata: utf8('3') })
    expect(hexOf(payload)).not.toBe(
      hexOf(chain.hashOf({ ...base, payload: utf8('1'), metadata: utf8('23') })),
    )
  })
})
