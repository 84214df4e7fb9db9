// What each level of a verification looks at, finds, leaves out and says of it.

import { describe, expect, test } from 'vitest'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { sealedValue } from '../../src/engine/sealed-value.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner } from '../../src/integrity/note-key.ts'
import { decodeBlock, type StoredBlock, sealedParts } from '../../src/log/block.ts'
import { hexOf, textOf, utf8 } from '../../src/log/bytes.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import type { VerifyLevel, VerifyReport } from '../../src/model/event-store.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

const hash = await createSha256()
const signerOf = async (name: string) => createNoteSigner(name, await generateKeyPair())
const own = await signerOf('streamdingo/s/device')
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer: own })

const LEVELS: readonly VerifyLevel[] = ['open', 'tree', 'full']
/** Several blocks, and several tiles of the tree. */
const COUNT = 1_000

async function filled(count = COUNT, word = 'said'): Promise<MemoryDatabase> {
  const database = createMemoryDatabase()
  const log = await open(database)
  for (let n = 0; n < count; n += 100) {
    const events = Array.from({ length: 100 }, (_, i) => ({ type: 'Said', data: { n: n + i, word } }))
    const [batch, streamName] = [encodeEvents(events), `s${n % 300}`]
    await log.append({ appends: [{ streamName, expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
  }
  await log.proofs.checkpoints.make()
  await log.close()
  return database
}

const open = (database: MemoryDatabase): Promise<EventLog> =>
  openLog({ storage: memoryStorage({ database }), storeId: 's', signing })

async function verify(database: MemoryDatabase, level: VerifyLevel): Promise<VerifyReport> {
  const log = await open(database)
  try {
    return await log.verify({ level })
  } finally {
    await log.close()
  }
}

/** What each level finds, in a word. */
async function problems(database: MemoryDatabase): Promise<string[]> {
  const reports = []
  for (const level of LEVELS) reports.push(await verify(database, level))
  return reports.map(report => (report.ok ? 'ok' : `${report.problem} at ${report.at}`))
}

/** As a forger who knows the format: the digest fits again. */
async function edit(block: StoredBlock, change: (bytes: Uint8Array) => void): Promise<StoredBlock> {
  const bytes = block.bytes.slice()
  change(bytes)
  const { content, digest } = sealedParts(bytes)
  digest.set(await hash.digestLarge(content))
  return { ...block, bytes }
}

describe('a log that is whole', () => {
  test('passes every level, which says what it has looked at', async () => {
    const database = await filled()
    const log = await open(database)
    const rootHash = hexOf(await log.proofs.treeRoot(COUNT))
    const of = {
      open: ['tree', 'entries', 'links', 'erasures'],
      tree: ['entries', 'links', 'erasures'],
      full: [],
    }
    for (const level of LEVELS) {
      const report = await log.verify({ level })
      expect(report).toMatchObject({ ok: true, level, headPosition: COUNT, rootHash, unchecked: of[level] })
      expect([...report.checked, ...report.unchecked].toSorted()).toEqual([
        'blocks',
        'checkpoint',
        'end',
        'entries',
        'erasures',
        'links',
        'signature',
        'tree',
      ])
      if (report.ok && level !== 'open') expect(report.events).toBe(COUNT)
    }
    await log.close()
  })

  test('without a checkpoint, or a signature on it, says so', async () => {
    const storage = memoryStorage()
    const log = await openLog({ storage, storeId: 's' })
    expect(await log.verify()).toMatchObject({ ok: true, events: 0, unchecked: ['checkpoint', 'signature'] })
    await log.proofs.checkpoints.make()
    expect(await log.verify()).toMatchObject({ ok: true, unchecked: ['signature'] })
    await log.close()
  })

  test('holds when it has grown since its checkpoint', async () => {
    const database = await filled()
    const log = await open(database)
    const batch = encodeEvents([{ type: 'Said', data: 0 }])
    await log.append({ appends: [{ streamName: 'a', expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
    for (const level of LEVELS) expect(await log.verify({ level })).toMatchObject({ ok: true })
    await log.close()
  })
})

describe('a forged log', () => {
  test('an edited payload in a mended block: only who recomputes finds it, and names event and bytes', async () => {
    const database = await filled()
    const at = 3
    const block = database.blocks[at]!
    const { payloads } = decodeBlock(block.bytes, block.firstPosition)
    const start = payloads.bytes.byteOffset - block.bytes.byteOffset
    const change = (bytes: Uint8Array): void => {
      const text = textOf(bytes.subarray(start, start + payloads.bytes.length))
      bytes.set(utf8(text.replace('"n":305,"word":"said"', '"n":305,"word":"paid"')), start)
    }
    database.blocks[at] = await edit(block, change)
    expect(await problems(database)).toEqual(['ok', 'ok', 'hash-mismatch at 306'])
    const report = await verify(database, 'full')
    if (report.ok || !report.place) throw new Error('not located')
    const { bytes } = database.blocks[at]!
    const forged = textOf(bytes.subarray(report.place.start, report.place.end))
    expect(JSON.parse(forged)).toEqual({ n: 305, word: 'paid' })
    const id = decodeBlock(block.bytes, block.firstPosition).idOf(306 - block.firstPosition)
    expect(report.eventId).toBe(eventIdOf(id))
  })

  test('an edited block, its digest left: who reads all of it finds it', async () => {
    const database = await filled()
    const block = database.blocks[3]!
    const bytes = block.bytes.slice()
    bytes[bytes.length - 100]! ^= 1
    database.blocks[3] = { ...block, bytes }
    expect(await problems(database)).toEqual([
      'ok',
      'hash-mismatch at 301',
      expect.stringMatching(/at 3\d\d$/),
    ])
  })

  test('another log with chains that hold: every level finds that it is not the one of the checkpoint', async () => {
    const [database, other] = [await filled(), await filled(COUNT, 'paid')]
    other.values.set('checkpoint/latest', database.values.get('checkpoint/latest')!)
    expect(await problems(other)).toEqual(LEVELS.map(() => 'checkpoint-mismatch at 1'))
  })

  test('a cut end is found by the checkpoint, also where the index does not know of it', async () => {
    const database = await filled()
    for (const key of [...database.values.keys()]) if (key.startsWith('index/')) database.values.delete(key)
    const last = database.blocks.pop()!
    const expected = `checkpoint-mismatch at ${last.firstPosition}`
    expect((await problems(database)).slice(1)).toEqual([expected, expected])
    expect(await verify(database, 'open')).toMatchObject({ ok: false, problem: 'checkpoint-mismatch' })
  })

  test('a checkpoint by another key, and one whose words were changed', async () => {
    const database = await filled()
    const log = await open(database)
    const made = await log.proofs.checkpoints.make()
    await log.close()
    const other = await signerOf('streamdingo/s/device')
    const text = made.text.slice(0, made.text.indexOf('\n\n') + 1)
    const { bytes } = await other.sign(text)
    const forgeries = [
      { ...made, origin: 'another' },
      {
        ...made,
        text: made.text.replace(/— .*/, `— ${own.key.name} ${btoa(String.fromCharCode(...bytes))}`),
      },
      { ...made, signing: { status: 'signed', verifierKey: made.origin } },
    ]
    for (const forgery of forgeries) {
      database.values.set('checkpoint/latest', await sealedValue(utf8(JSON.stringify(forgery)), hash))
      expect(await problems(database)).toEqual(LEVELS.map(() => `bad-signature at ${COUNT}`))
    }
  })

  test('a root of a tile in the middle is found, and made anew', async () => {
    const database = await filled()
    const key = 'tree/tile-roots/0000000000'
    const genuine = ((await verify(database, 'full')) as Extract<VerifyReport, { ok: true }>).rootHash
    const roots = sealedParts(database.values.get(key)!).content.slice()
    expect(roots.length).toBe(3 * 32)
    roots[40]! ^= 1
    database.values.set(key, await sealedValue(roots, hash))
    const log = await open(database)
    const root = async () => hexOf(await log.proofs.treeRoot(COUNT))
    expect(await root()).not.toBe(genuine)
    expect(await log.verify({ level: 'tree' })).toMatchObject({
      ok: false,
      problem: 'tree-mismatch',
      at: 257,
    })
    expect(await log.verify({ level: 'tree' })).toMatchObject({ ok: true })
    expect(await root()).toBe(genuine)
    await log.close()
    expect(await problems(database)).toEqual(['ok', 'ok', 'ok'])
  })
})

describe('a verification that is aborted', () => {
  test('goes on where it was, and reads nothing twice', async () => {
    const database = await filled(40_000)
    const memory = memoryStorage({ database })
    const read: number[] = []
    const storage = wrapStorage(memory, {
      read(range) {
        read.push(range.from)
        return memory.read(range)
      },
    })
    const log = await openLog({ storage, storeId: 's', signing })
    const abort = new AbortController()
    let reached = 0
    const onProgress = ({ verified }: { verified: number }) => {
      reached = verified
      abort.abort()
    }
    await expect(log.verify({ level: 'tree', onProgress, signal: abort.signal })).rejects.toThrow()
    expect(reached).toBeGreaterThan(0)
    read.length = 0
    const report = await log.verify({ level: 'tree', resume: true })
    expect(report).toMatchObject({ ok: true, events: 40_000, headPosition: 40_000 })
    expect(Math.min(...read)).toBe(reached + 1)
    read.length = 0
    expect(await log.verify({ level: 'tree', resume: true })).toEqual(report)
    expect(Math.min(...read)).toBe(1)
    await log.close()
  })
})
