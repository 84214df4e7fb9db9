import { describe, expect, test } from 'vitest'
import { BlockStore } from '../../src/engine/block-store.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { LogTree } from '../../src/engine/log-tree.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { Verification } from '../../src/engine/verification.ts'
import { decodeBlock, type StoredBlock, sealedParts } from '../../src/log/block.ts'
import { BlockWriter } from '../../src/log/block-writer.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

const said = (n: number) => ({ type: 'Said', data: { n, text: 'what was said' } })

async function blocksOf(appends: readonly (readonly [string, number])[]): Promise<StoredBlock[]> {
  const storage = memoryStorage()
  const log = await openLog({ storage, storeId: 's' })
  const store = createEventStore(log)
  for (const [streamName, n] of appends) await store.appendToStream(streamName, [said(n)])
  return storage.read({ from: 1 })
}

/** A storage that holds exactly these blocks, whatever is wrong with them. */
function holding(blocks: readonly StoredBlock[], values = memoryStorage()): LogStorage {
  const read: LogStorage['read'] = async ({ from, to = Number.POSITIVE_INFINITY }) =>
    blocks.filter(one => one.lastPosition >= from && one.firstPosition <= to)
  return wrapStorage(values, { read, head: async () => blocks.at(-1)?.lastPosition ?? 0 })
}

/** Verifies as after a restart; a log that cannot even be opened counts as found at that place. */
async function verifyBlocks(blocks: readonly StoredBlock[], storeId = 's') {
  const storage = holding(blocks)
  await storage.open()
  const hash = await createSha256()
  const tree = new LogTree({ storage, blocks: new BlockStore(storage, hash), hash })
  const checkpoints = { latest: async () => null, judge: async () => 'unsigned' as const }
  const erasures = { count: 0, has: () => false, isInLog: true }
  const chain = new HashChain(hash)
  const parts = { storeId, storage, chain, hash, tree, checkpoints, erasures, knownHead: () => 0 }
  return new Verification('full', parts).run({})
}

const TEN = Array.from({ length: 10 }, (_, i) => [`s${i % 3}`, i] as const)

describe('verify', () => {
  test('finds nothing in a log that is whole, and tells its progress', async () => {
    const storage = memoryStorage()
    const store = createEventStore(await openLog({ storage, storeId: 's' }))
    await store.appendToStream('a', [said(1), said(2)])
    const progress: unknown[] = []
    expect(await store.verify({ onProgress: one => progress.push(one) })).toMatchObject({
      ok: true,
      events: 2,
      headPosition: 2,
    })
    expect(progress).toEqual([{ verified: 2, total: 2 }])
  })

  test('finds every changed byte of a block, and names a position in it', async () => {
    const blocks = await blocksOf([
      ['a', 1],
      ['a', 2],
      ['b', 3],
    ])
    const middle = blocks[1]!
    for (let at = 0; at < middle.bytes.length; at++) {
      const bytes = middle.bytes.slice()
      bytes[at]! ^= 0x01
      const report = await verifyBlocks([blocks[0]!, { ...middle, bytes }, blocks[2]!]).catch(error => error)
      // A changed format digit is a newer format; everything else is a failure at the entry.
      if (report instanceof Error) expect(report).toMatchObject({ code: 'unsupported-format' })
      else expect(report).toMatchObject({ ok: false, at: 2 })
    }
  })

  test('finds an edited payload whose block digest was mended', async () => {
    const blocks = await blocksOf(TEN)
    const bytes = blocks[4]!.bytes.slice()
    const { payloads } = decodeBlock(bytes, 5)
    const text = new TextDecoder().decode(payloads.bytes)
    payloads.bytes.set(new TextEncoder().encode(text.replace('what', 'that')))
    const { content, digest } = sealedParts(bytes)
    digest.set((await createSha256()).digest(content))
    const report = await verifyBlocks(blocks.with(4, { ...blocks[4]!, bytes }))
    expect(report).toMatchObject({ ok: false, at: 5, problem: 'hash-mismatch', verified: 4 })
  })

  test('finds a deleted, a doubled and a cut-off block', async () => {
    const blocks = await blocksOf(TEN)
    expect(await verifyBlocks(blocks.toSpliced(3, 1))).toMatchObject({ ok: false, at: 4, problem: 'gap' })
    expect(await verifyBlocks(blocks.toSpliced(3, 0, blocks[3]!))).toMatchObject({
      ok: false,
      at: 5,
      problem: 'gap',
    })
    expect(await verifyBlocks(blocks.slice(1))).toMatchObject({ ok: false, at: 1, problem: 'gap' })
  })

  /** Rewrites the log with other entries at other places, each block sealed anew. */
  const rewrite = async (blocks: readonly StoredBlock[], order: readonly number[]) => {
    const hash = await createSha256()
    const writer = new BlockWriter(hash, 1)
    for (const n of order) {
      writer.add(decodeBlock(blocks[n]!.bytes, n + 1).entry(0))
      writer.endCommit(null)
    }
    return writer.finish()
  }

  test('finds a deleted and swapped events behind renumbered positions', async () => {
    const blocks = await blocksOf(TEN)
    expect(await verifyBlocks(await rewrite(blocks, [0, 1, 2, 4, 5, 6]))).toMatchObject({
      ok: false,
      at: 6,
      problem: 'broken-link',
    })
    expect(await verifyBlocks(await rewrite(blocks, [3, 0]))).toMatchObject({
      ok: false,
      at: 1,
      problem: 'broken-link',
    })
    // Events of different streams have no order between them but that of the log.
    expect((await verifyBlocks(await rewrite(blocks, [1, 0]))).ok).toBe(true)
  })

  test('finds a log of another store', async () => {
    expect(await verifyBlocks(await blocksOf(TEN), 'another')).toMatchObject({
      ok: false,
      at: 1,
      problem: 'broken-link',
    })
  })

  test('finds a tail that was cut since the log was last open', async () => {
    const database = createMemoryDatabase()
    const open = async () =>
      createEventStore(await openLog({ storage: memoryStorage({ database }), storeId: 's' }))
    const store = await open()
    for (const [streamName, n] of TEN) await store.appendToStream(streamName, [said(n)])
    await store.close()
    database.blocks.splice(7)
    expect(await (await open()).verify()).toMatchObject({
      ok: false,
      at: 8,
      problem: 'truncated',
      verified: 7,
    })
  })

  test('finds a tail that was cut under an open log', async () => {
    const database = createMemoryDatabase()
    const store = createEventStore(await openLog({ storage: memoryStorage({ database }), storeId: 's' }))
    for (const [streamName, n] of TEN) await store.appendToStream(streamName, [said(n)])
    database.blocks.splice(9)
    expect(await store.verify()).toMatchObject({ ok: false, at: 10, problem: 'truncated', verified: 9 })
  })
})

describe('reading a damaged log', () => {
  test('fails with the position instead of giving wrong events', async () => {
    const blocks = await blocksOf(TEN)
    const bytes = blocks[4]!.bytes.slice()
    bytes[bytes.length - 60]! ^= 0x01
    const storage = holding(blocks.with(4, { ...blocks[4]!, bytes }))
    await expect(openLog({ storage, storeId: 's' })).rejects.toMatchObject({
      code: 'log-damaged',
      facts: { position: 5 },
    })
  })

  test('fails at the gap when a block is missing, instead of looking for it for ever', async () => {
    const blocks = await blocksOf(TEN)
    for (const missing of [0, 4, 8]) {
      const storage = holding(blocks.toSpliced(missing, 1))
      await expect(openLog({ storage, storeId: 's' })).rejects.toMatchObject({
        code: 'log-damaged',
        facts: { position: missing + 1 },
      })
    }
  })
})
