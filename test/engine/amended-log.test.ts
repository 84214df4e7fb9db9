// The integrity of a log with amendments: they are entries as all others, covered by hashes, trees, proofs and erasures
// alike, and merged with them.

import { describe, expect, onTestFinished, test } from 'vitest'
import { entriesOf } from '../../src/conformance/block-contents.ts'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import { compactLog, keepsBlocks } from '../../src/engine/compaction.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { verifyInclusion } from '../../src/integrity/verify-proof.ts'
import { verifyExportedProof } from '../../src/integrity/verify-text.ts'
import { AMENDMENT_TYPE } from '../../src/log/amendment.ts'
import { type Block, decodeBlock, sealedParts } from '../../src/log/block.ts'
import { KIND_AMENDMENT } from '../../src/log/entry.ts'
import { isStoreError } from '../../src/log/errors.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { openServer, pull, sync } from './replay/replicas.ts'

const signer = await createNoteSigner('streamdingo/shared/device', await generateKeyPair())
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })

const open = (database: MemoryDatabase): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId: 'shared', signing })

const saying = (data: string) => ({ type: 'Said', id: newEventId(), data })

async function textsOf(log: EventLog): Promise<unknown[]> {
  return (await createEventStore(log).readStream('a')).events.map(({ data }) => data)
}

/** A device's log in which an amendment was superseded by a rebase, and stands again behind the server's events. */
async function amendedLog() {
  const database = createMemoryDatabase()
  const [log, other, server] = [await open(database), await open(createMemoryDatabase()), await openServer()]
  const store = createEventStore(log)
  const [a, b, x] = [saying('A'), saying('B'), saying('X')]
  await store.appendToStream('a', [a, b])
  await sync(log, server)
  await pull(other, server)
  await createEventStore(other).appendToStream('a', [saying('C')])
  await sync(other, server)
  const amendmentId = newEventId()
  await store.amendStream(
    'a',
    [
      { kind: 'insert', after: a.id, event: x },
      { kind: 'remove', eventId: b.id },
    ],
    { reason: 'a mistake', amendmentId },
  )
  await sync(log, server)
  await store.appendToStream('b', [saying('last')])
  onTestFinished(async () => {
    for (const one of [log, other, server]) await one.close()
  })
  return { database, log, store, amendmentId, x }
}

/** Indexes of the blocks that have an amendment. */
const blocksWithAmendments = ({ blocks }: MemoryDatabase): number[] =>
  blocks.flatMap(({ bytes, firstPosition }, i) =>
    decodeBlock(bytes, firstPosition).kinds.includes(KIND_AMENDMENT) ? [i] : [],
  )

/** What a log says of itself that has other bytes in one block; one that cannot be opened says so at once. */
async function judged(database: MemoryDatabase, index: number, bytes: Uint8Array<ArrayBuffer>) {
  const blocks = database.blocks.with(index, { ...database.blocks[index]!, bytes })
  const log = await open({ blocks, values: new Map(database.values) }).catch(error => error)
  if (isStoreError(log)) return { ok: false, at: log.facts['position'], code: log.code }
  const report = await (log as EventLog).verify()
  await (log as EventLog).close()
  return report
}

describe('verify', () => {
  test('holds at every level, also where an amendment was superseded', async () => {
    const { log, database, store } = await amendedLog()
    expect(await textsOf(log)).toEqual(['A', 'X', 'C'])
    expect(blocksWithAmendments(database)).toHaveLength(2)
    await store.checkpoint()
    for (const level of ['open', 'tree', 'full'] as const) {
      expect(await log.verify({ level })).toMatchObject({ ok: true, level })
    }
    // A, B, C, X, what amends, and what was said last.
    expect(await log.verify()).toMatchObject({ ok: true, events: 6 })
  })

  test('finds every changed byte of a block with an amendment, and says where', async () => {
    const { database } = await amendedLog()
    for (const index of blocksWithAmendments(database)) {
      const { bytes, firstPosition, lastPosition } = database.blocks[index]!
      for (let at = 0; at < bytes.length; at++) {
        const changed = bytes.slice()
        changed[at]! ^= 0x01
        const report = await judged(database, index, changed)
        expect(report.ok, `byte ${at}`).toBe(false)
        const where = (report as { at: number }).at
        expect(where >= firstPosition && where <= lastPosition, `byte ${at}: ${where}`).toBe(true)
      }
    }
  }, 60_000)

  test.each<readonly [string, (block: Block, i: number) => void]>([
    [
      'names another event',
      ({ payloads }, i) => {
        // The digits of a version.
        const at = new TextDecoder().decode(payloads.bytes).lastIndexOf('"version":2') + '"version":'.length
        expect(i).toBeGreaterThan(0)
        payloads.bytes[at] = '1'.charCodeAt(0)
      },
    ],
    [
      'is made an event',
      ({ kinds }, i) => {
        kinds[i] = 0
      },
    ],
    [
      'is taken for an erased event',
      ({ kinds }, i) => {
        kinds[i] = 0x80
      },
    ],
  ])('finds an amendment that %s, though the digest of its block was mended', async (_name, forge) => {
    const { database } = await amendedLog()
    const index = blocksWithAmendments(database).at(-1)!
    const bytes = database.blocks[index]!.bytes.slice()
    const block = decodeBlock(bytes, database.blocks[index]!.firstPosition)
    const i = block.kinds.indexOf(KIND_AMENDMENT)
    forge(block, i)
    const { content, digest } = sealedParts(bytes)
    digest.set((await createSha256()).digest(content))
    expect(await judged(database, index, bytes)).toMatchObject({
      ok: false,
      at: block.firstPosition + i,
      problem: 'hash-mismatch',
    })
  })
})

test('a proof of an amendment shows what it says, and that it is no event', async () => {
  const { store, amendmentId } = await amendedLog()
  expect(await verifyInclusion(await store.proveInclusion(amendmentId))).toBe(true)
  const keys = [formatVerifierKey(signer.key)]
  const verdict = await verifyExportedProof(await store.exportProof(amendmentId), { keys })
  expect(verdict).toMatchObject({
    isTrusted: true,
    event: {
      eventId: amendmentId,
      type: AMENDMENT_TYPE,
      streamName: 'a',
      streamVersion: 5,
      isEvent: false,
      content: {
        data: {
          reason: 'a mistake',
          changes: [
            { kind: 'insert', version: 4, after: 1 },
            { kind: 'remove', version: 2 },
          ],
        },
      },
    },
  })
})

test('small blocks are merged, and the amendment in them counts as before, here and after a restart', async () => {
  const { database, log, store } = await amendedLog()
  for (let n = 0; n < 40; n++) await store.appendToStream('b', [saying('small')])
  const before = entriesOf(database.blocks)
  const storage = memoryStorage({ database })
  await storage.open()
  if (!keepsBlocks(storage)) throw new Error('Memory keeps blocks')
  const parts = { storage, hash: await createSha256(), onMerged: () => {}, onDamaged: () => {} }
  const count = database.blocks.length
  await compactLog(parts, new AbortController().signal)
  expect(database.blocks.length).toBeLessThan(count)
  expect(entriesOf(database.blocks)).toEqual(before)
  const again = await open(database)
  for (const one of [log, again]) {
    expect(await textsOf(one)).toEqual(['A', 'X', 'C'])
    expect(await one.verify()).toMatchObject({ ok: true })
  }
  await again.close()
})

test('another tab takes a large amendment in whole, with all that it puts in, or not yet', async () => {
  const database = createMemoryDatabase()
  const [one, other] = [await open(database), await open(database)]
  const store = createEventStore(one)
  const first = saying('A')
  await store.appendToStream('a', [first, saying('B')])
  await other.catchUp()
  const shown: Promise<unknown[]>[] = []
  other.onChange(() => shown.push(textsOf(other)))
  // More than is read at once.
  const texts = Array.from({ length: 8 }, (_, n) => String(n).repeat(400_000))
  const inserting = texts.map(text => ({ kind: 'insert', after: first.id, event: saying(text) }) as const)
  await store.amendStream('a', inserting, { reason: 'all at once' })
  await other.catchUp()
  const whole = ['A', ...texts.toReversed(), 'B']
  for (const seen of await Promise.all(shown)) expect(seen).toEqual(whole)
  expect(shown.length).toBeGreaterThan(0)
  for (const log of [one, other]) await log.close()
})

test('what an amendment put in can be erased, and the amendment itself cannot', async () => {
  const { store, log, amendmentId, x } = await amendedLog()
  await expect(store.eraseEvent(amendmentId)).rejects.toMatchObject({ code: 'unknown-event' })
  await store.eraseEvent(x.id)
  expect(await textsOf(log)).toEqual(['A', 'C'])
  expect(await store.amendments('a')).toMatchObject([
    { amendmentId, changes: [{ kind: 'insert', eventId: x.id }, { kind: 'remove' }] },
  ])
  expect(await log.verify()).toMatchObject({ ok: true })
})

test('entries of a kind that a newer release made are not read past: the log says that it is newer, and is left alone', async () => {
  const { database } = await amendedLog()
  const index = blocksWithAmendments(database).at(-1)!
  const { block: newer, position } = await asNewer(database.blocks[index]!)
  const blocks = database.blocks.with(index, newer)
  await expect(open({ blocks, values: new Map() })).rejects.toMatchObject({
    code: 'unsupported-format',
    facts: { position, kind: 3 },
  })
  expect(blocks[index]).toBe(newer)
})

test('a log in which the newer worker of another tab writes such an entry can be read as it was, and grows no more here', async () => {
  const database = createMemoryDatabase()
  const older = await open(database)
  onTestFinished(() => older.close())
  const [first, second] = [saying('A'), saying('B')]
  await createEventStore(older).appendToStream('a', [first, second])
  const newer = await open(database)
  const changes = [{ kind: 'remove', eventId: second.id }] as const
  await createEventStore(newer).amendStream('a', changes, { reason: 'as a newer release would' })
  await newer.close()
  const last = database.blocks.length - 1
  const { block } = await asNewer(database.blocks[last]!)
  database.blocks[last] = block
  const blocks = [...database.blocks]
  await expect(older.catchUp()).rejects.toMatchObject({ code: 'unsupported-format', facts: { kind: 3 } })
  await expect(createEventStore(older).appendToStream('a', [saying('C')])).rejects.toMatchObject({
    code: 'unsupported-format',
  })
  expect(await textsOf(older)).toEqual(['A', 'B'])
  expect(database.blocks).toEqual(blocks)
})

/** The block with an entry of a kind that this release does not know in the place of its first amendment. */
async function asNewer({ firstPosition, lastPosition, bytes }: MemoryDatabase['blocks'][number]) {
  const newer = bytes.slice()
  const { kinds } = decodeBlock(newer, firstPosition)
  const i = kinds.indexOf(KIND_AMENDMENT)
  kinds[i] = 3
  const { content, digest } = sealedParts(newer)
  digest.set((await createSha256()).digest(content))
  return { block: { firstPosition, lastPosition, bytes: newer }, position: firstPosition + i }
}
