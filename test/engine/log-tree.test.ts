import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { verifyConsistency, verifyInclusion } from '../../src/integrity/index.ts'
import { halvesOf, type LeafRange, NodeHasher } from '../../src/integrity/merkle-tree.ts'
import { bytesOfHex, hexOf } from '../../src/log/bytes.ts'
import type { Hash } from '../../src/log/event.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

const hasher = new NodeHasher(await createSha256())

async function openWith(events: number, storage: LogStorage = memoryStorage()): Promise<EventLog> {
  const log = await openLog({ storage, storeId: 's' })
  await appendTo(log, events)
  return log
}

async function appendTo(log: EventLog, events: number): Promise<void> {
  const batch = encodeEvents(Array.from({ length: events }, (_, n) => ({ type: 'Counted', data: n })))
  await log.append({ appends: [{ streamName: 'a', expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
}

/** Ids and hashes of all events, and the root over them as RFC 6962 defines it, with nothing of the tree's own code. */
async function readLog(log: EventLog) {
  const events = []
  for await (const part of log.readAll()) events.push(...part.map(({ metadata }) => metadata))
  const leaves = events.map(({ hash }) => bytesOfHex(hash))
  const rootOf = ([start, end]: LeafRange): Uint8Array => {
    if (end - start === 1) return leaves[start]!
    const [left, right] = halvesOf([start, end])
    return hasher.node(rootOf(left), rootOf(right))
  }
  return {
    ids: events.map(({ eventId }) => eventId),
    rootAt: (size: number) => hexOf(rootOf([0, size])) as Hash,
  }
}

const COUNT = 1_500

describe('proofs of a log', () => {
  test('of events all over it, for its tree and for smaller ones, hold', async () => {
    const log = await openWith(COUNT)
    const { ids, rootAt } = await readLog(log)
    for (const treeSize of [1, 2, 255, 256, 257, 511, 512, 1_000, 1_024, COUNT]) {
      for (const position of [1, 2, 255, 256, 257, 512, 513, 1_000, COUNT]) {
        if (position > treeSize) continue
        const proof = await log.proofs.proveInclusion(ids[position - 1]!, treeSize)
        expect(proof).toMatchObject({ globalPosition: position, treeSize, rootHash: rootAt(treeSize) })
        expect(await verifyInclusion(proof)).toBe(true)
        expect(await verifyInclusion({ ...proof, globalPosition: position === 1 ? 2 : 1 })).toBe(false)
      }
    }
    await log.close()
  })

  test('that it went on from where it was hold, and are refused for another past', async () => {
    const log = await openWith(COUNT)
    const { rootAt } = await readLog(log)
    for (const [size1, size2] of [
      [1, 2],
      [1, COUNT],
      [256, 257],
      [255, 1_024],
      [1_024, COUNT],
      [COUNT, COUNT],
    ] as const) {
      const proof = await log.proofs.proveConsistency(size1, size2)
      expect(proof).toMatchObject({ rootHash1: rootAt(size1), rootHash2: rootAt(size2) })
      expect(await verifyConsistency(proof)).toBe(true)
      expect(await verifyConsistency({ ...proof, rootHash1: rootAt(7) })).toBe(false)
    }
    await log.close()
  })

  test('are refused for what the log does not have', async () => {
    const log = await openWith(10)
    const { ids } = await readLog(log)
    const unknown = '018f5f3e-1c1b-7c1a-8a1b-0123456789ab'
    await expect(log.proofs.proveInclusion(unknown)).rejects.toMatchObject({
      code: 'unknown-event',
      facts: { eventId: unknown },
    })
    await expect(log.proofs.proveInclusion('nonsense')).rejects.toMatchObject({ code: 'unknown-event' })
    const invalid = { code: 'invalid-argument' }
    await expect(log.proofs.proveInclusion(ids[4]!, 4)).rejects.toMatchObject(invalid)
    await expect(log.proofs.proveInclusion(ids[4]!, 11)).rejects.toMatchObject(invalid)
    await expect(log.proofs.proveConsistency(0)).rejects.toMatchObject(invalid)
    await expect(log.proofs.proveConsistency(5, 4)).rejects.toMatchObject(invalid)
    await expect(log.proofs.proveConsistency(1.5)).rejects.toMatchObject(invalid)
    await log.close()
  })
})

describe('the saved part of the tree', () => {
  const LONG = 3_000

  /** How many blocks are read to prove an event of a log that was opened anew. */
  async function blocksRead(database: ReturnType<typeof createMemoryDatabase>, eventId: string) {
    let blocks = 0
    const storage = memoryStorage({ database })
    const read: LogStorage['read'] = async range => {
      const found = await storage.read(range)
      blocks += found.length
      return found
    }
    const log = await openLog({ storage: wrapStorage(storage, { read }), storeId: 's' })
    const before = blocks
    const proof = await log.proofs.proveInclusion(eventId)
    const count = blocks - before
    await log.close()
    return { proof, count }
  }

  test('is taken up again: a proof then reads the event and its tile, and not the log', async () => {
    const database = createMemoryDatabase()
    const log = await openWith(LONG, memoryStorage({ database }))
    const { ids, rootAt } = await readLog(log)
    await log.proofs.proveInclusion(ids[0]!)
    await log.close()
    const { proof, count } = await blocksRead(database, ids[700]!)
    expect(proof.rootHash).toBe(rootAt(LONG))
    expect(await verifyInclusion(proof)).toBe(true)
    expect(count).toBeLessThan(database.blocks.length / 2)
  })

  test('that is damaged, or of another log, is made anew', async () => {
    const other = createMemoryDatabase()
    const otherLog = await openWith(LONG, memoryStorage({ database: other }))
    await otherLog.proofs.proveConsistency(1)
    await otherLog.close()
    const key = 'tree/tile-roots/0000000000'
    const flipped = (bytes: Uint8Array<ArrayBuffer>) => bytes.map((byte, i) => (i === 40 ? byte ^ 1 : byte))
    for (const replace of [flipped, () => other.values.get(key)!]) {
      const database = createMemoryDatabase()
      const log = await openWith(LONG, memoryStorage({ database }))
      const { ids, rootAt } = await readLog(log)
      await log.proofs.proveConsistency(1)
      await log.close()
      const storage = memoryStorage({ database })
      await storage.open()
      await storage.put({ [key]: replace((await storage.get(key))!) })
      const { proof } = await blocksRead(database, ids[0]!)
      expect(proof.rootHash).toBe(rootAt(LONG))
    }
  })

  test('grows with the log', async () => {
    const log = await openWith(300)
    for (let n = 0; n < 5; n++) {
      const size = log.head()
      const { ids, rootAt } = await readLog(log)
      expect((await log.proofs.proveInclusion(ids[size - 1]!)).rootHash).toBe(rootAt(size))
      await appendTo(log, 400)
      expect(await verifyConsistency(await log.proofs.proveConsistency(size))).toBe(true)
    }
    await log.close()
  })
})
