import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Block, decodeBlock } from '../../src/log/block.ts'
import { BLOCK_TARGET_BYTES, BlockWriter } from '../../src/log/block-writer.ts'
import { hexOf, MalformedBytes, utf8 } from '../../src/log/bytes.ts'
import type { Entry } from '../../src/log/entry.ts'
import { StoreError } from '../../src/log/errors.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'

const hash = await createSha256()
const chain = new HashChain(hash)

/** Links entries of the given streams, in order. */
function entriesOf(streams: readonly string[], payload = '{"n":1}'): Entry[] {
  const heads = new Map<string, { version: number; hash: Uint8Array }>()
  return streams.map((streamName, i) => {
    const head = heads.get(streamName) ?? { version: 0, hash: chain.genesis('s', streamName) }
    const unlinked = {
      kind: 0,
      streamName,
      streamVersion: head.version + 1,
      previous: head.hash,
      recordedAt: 1_700_000_000_000 + i,
      eventId: crypto.getRandomValues(new Uint8Array(16)),
      salt: crypto.getRandomValues(new Uint8Array(16)),
      type: `Type${i % 3}`,
      schemaVersion: 1 + (i % 2),
      payload: utf8(payload),
      metadata: utf8('{}'),
    }
    const entry = { ...unlinked, hash: chain.hashOf(unlinked) }
    heads.set(streamName, { version: entry.streamVersion, hash: entry.hash })
    return entry
  })
}

async function write(entries: readonly Entry[], commitEvery = 1, first = 1) {
  const writer = new BlockWriter(hash, first)
  for (const [i, entry] of entries.entries()) {
    writer.add(entry)
    if ((i + 1) % commitEvery === 0 || i === entries.length - 1) writer.endCommit({ onConflict: 'reappend' })
  }
  return writer.finish()
}

const plain = (entry: Entry) => ({
  ...entry,
  previous: hexOf(entry.previous),
  hash: hexOf(entry.hash),
  eventId: hexOf(entry.eventId),
  salt: hexOf(entry.salt),
  payload: hexOf(entry.payload),
  metadata: hexOf(entry.metadata),
})

describe('blocks', () => {
  test('give back any run of entries and commits, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.constantFrom('a', 'b', 'ü/🎲', 'constructor'), { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9000 }),
        async (streams, commitEvery, size) => {
          const entries = entriesOf(streams, JSON.stringify('x'.repeat(size)))
          const blocks = (await write(entries, commitEvery, 7)).map(({ bytes, firstPosition }) =>
            decodeBlock(bytes, firstPosition),
          )
          const read = blocks.flatMap(block =>
            Array.from({ length: block.count }, (_, i) => plain(block.entry(i))),
          )
          expect(read).toEqual(entries.map(plain))
          const ends = blocks.flatMap(block =>
            block.commits.map(({ lastIndex }) => block.firstPosition + lastIndex),
          )
          const expected = entries
            .map((_, i) => i + 7)
            .filter((_, i) => (i + 1) % commitEvery === 0 || i === entries.length - 1)
          expect(ends).toEqual(expected)
        },
      ),
      { numRuns: 40 },
    )
  })

  test('stay under the target, but for an event that needs more', async () => {
    const blocks = await write(
      entriesOf(
        Array.from({ length: 2000 }, (_, i) => `stream-${i % 700}`),
        JSON.stringify('ü'.repeat(100)),
      ),
    )
    expect(blocks.length).toBeGreaterThan(5)
    for (const { bytes } of blocks) expect(bytes.length).toBeLessThanOrEqual(BLOCK_TARGET_BYTES)
    const large = await write(entriesOf(['a', 'a', 'a'], JSON.stringify('x'.repeat(90_000))))
    expect(large).toHaveLength(3)
  })

  test('start a second segment where a chain goes back', async () => {
    const [one, two] = entriesOf(['a', 'a'])
    const [other] = await write([one!, two!, { ...two!, payload: utf8('2') }])
    const block = decodeBlock(other!.bytes, 1)
    expect(block.segments).toHaveLength(2)
    expect([block.entry(1).streamVersion, block.entry(2).streamVersion]).toEqual([2, 2])
    expect(hexOf(block.previousOf(2))).toBe(hexOf(one!.hash))
  })
})

describe('bytes that are no block', () => {
  test('a changed or cut byte is refused or read, and never anything else', async () => {
    const [block] = await write(entriesOf(['a', 'b', 'a', 'c']), 2)
    await fc.assert(
      fc.property(
        fc.nat(block!.bytes.length - 1),
        fc.integer({ min: 1, max: 255 }),
        fc.boolean(),
        (at, flip, isCut) => {
          const bytes = isCut ? block!.bytes.slice(0, at) : block!.bytes.slice()
          if (!isCut) bytes[at]! ^= flip
          try {
            const read = decodeBlock(bytes, 1)
            for (let i = 0; i < read.count; i++) read.entry(i)
          } catch (error) {
            expect(error).toBeInstanceOf(StoreError)
          }
        },
      ),
      { numRuns: 2000 },
    )
  })

  test('a newer format is told apart from damage', async () => {
    const [block] = await write(entriesOf(['a']))
    const newer = block!.bytes.slice()
    newer[3] = 0x32
    expect(() => decodeBlock(newer, 1)).toThrow(expect.objectContaining({ code: 'unsupported-format' }))
    expect(() => decodeBlock(utf8('hello world, this is no block at all, whatever it says'), 1)).toThrow(
      expect.objectContaining({ code: 'log-damaged' }),
    )
    expect(() => new Block(new Uint8Array(64))).toThrow(MalformedBytes)
  })
})
