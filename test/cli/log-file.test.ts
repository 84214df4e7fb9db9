// An exported log on the command line: whole, changed anywhere, cut off, or of another log.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT, run } from '../../src/cli/run.ts'
import { exportStart } from '../../src/engine/backup/export-log.ts'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import { compactLog } from '../../src/engine/compaction.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { readLogFile } from '../../src/integrity/log-file.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { exported } from '../support/exported-log.ts'

const signer = await createNoteSigner('streamdingo/shop/device', await generateKeyPair())
const key = formatVerifierKey(signer.key)
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streamdingo-log-file-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function openFilled(count: number, database = createMemoryDatabase()): Promise<EventLog> {
  const log = await openLog({ storage: memoryStorage({ database }), storeId: 'shop', signing })
  const store = createEventStore(log)
  for (let n = 0; n < count; n++) {
    await store.appendToStream(`cart-${n % 7}`, [{ type: 'Added', data: { n, note: 'x'.repeat(n % 50) } }])
  }
  return log
}

async function verify(bytes: Uint8Array, ...args: string[]) {
  const path = join(folder, 'a.streamdingo')
  await writeFile(path, bytes)
  const [out, errors]: [string[], string[]] = [[], []]
  const output = { out: (text: string) => out.push(text), error: (text: string) => errors.push(text) }
  return { code: await run(['verify', path, ...args], output), out: out.join('\n'), error: errors.join('\n') }
}

describe('an exported log', () => {
  test('holds by the key of its device, and says what it is', async () => {
    const log = await openFilled(300)
    const file = await exported(log)
    const { code, out } = await verify(file, '--key', key)
    expect(code).toBe(EXIT.trusted)
    expect(out).toContain('Store shop')
    expect(out).toContain(
      '300 entries: 0 events confirmed by a server, 300 pending, 0 superseded; 0 of them erased',
    )
    expect((await verify(file)).code).toBe(EXIT.untrusted)
    const stranger = formatVerifierKey((await createNoteSigner('a', await generateKeyPair())).key)
    expect((await verify(file, '--key', stranger)).code).toBe(EXIT.fails)
    await log.close()
  })

  test('of a device that cannot sign holds in itself, and by no key', async () => {
    const log = await openLog({ storage: memoryStorage(), storeId: 'shop' })
    await createEventStore(log).appendToStream('a', [{ type: 'Added', data: 1 }])
    const file = await exported(log)
    const { code, out } = await verify(file)
    expect(code).toBe(EXIT.untrusted)
    expect(out).toContain('nobody has signed it')
    expect((await verify(file, '--key', key)).code).toBe(EXIT.fails)
    await log.close()
  })

  test('that was amended holds, and does not once an amendment says something else', async () => {
    const log = await openFilled(10)
    const store = createEventStore(log)
    const [, second] = (await store.readStream('cart-1')).events
    await store.amendStream('cart-1', [{ kind: 'remove', eventId: second!.metadata.eventId }], {
      reason: 'counted twice',
    })
    const file = await exported(log)
    const { code, out } = await verify(file, '--key', key)
    expect(code).toBe(EXIT.trusted)
    expect(out).toContain('11 entries')
    const changed = Buffer.from(file)
    const at = changed.lastIndexOf('"version":2') + '"version":'.length
    changed[at] = '1'.charCodeAt(0)
    const forged = await verify(changed, '--key', key)
    expect(forged.code).toBe(EXIT.fails)
    expect(forged.out).toContain('FAIL log')
    await log.close()
  })

  test('of nothing is a file, too', async () => {
    const log = await openFilled(0)
    expect((await verify(await exported(log), '--key', key)).code).toBe(EXIT.trusted)
    await log.close()
  })

  test('is of the moment at which it was begun, however the log grows and is merged meanwhile', async () => {
    const database = createMemoryDatabase()
    const log = await openFilled(50, database)
    const big = 'y'.repeat(700_000)
    for (let n = 0; n < 4; n++) {
      await createEventStore(log).appendToStream('big', [{ type: 'Added', data: big }])
    }
    const storage = memoryStorage({ database })
    await storage.open()
    let steps = 0
    const file = await exported(log, async () => {
      steps++
      await createEventStore(log).appendToStream('cart-1', [{ type: 'Added', data: 'later' }])
      const parts = { storage, hash: log.hash, onMerged() {}, onDamaged() {} } as unknown as Parameters<
        typeof compactLog
      >[0]
      await compactLog(parts, new AbortController().signal)
    })
    expect(steps).toBeGreaterThan(0)
    const { head, blocks } = await readLogFile(new Blob([file]), log.hash)
    expect(head.size).toBe(54)
    expect(blocks.at(-1)!.lastPosition).toBe(54)
    expect((await verify(file, '--key', key)).code).toBe(EXIT.trusted)
    await log.close()
  })

  test('cuts a block that was merged across its beginning or its end', async () => {
    const database = createMemoryDatabase()
    const log = await openFilled(40, database)
    const before = await exported(log)
    const storage = memoryStorage({ database })
    await storage.open()
    const parts = { storage, hash: log.hash, onMerged() {}, onDamaged() {} } as unknown as Parameters<
      typeof compactLog
    >[0]
    await compactLog(parts, new AbortController().signal)
    expect(database.blocks.length).toBeLessThan(5)
    const { bytes } = await exportStart(log)
    const [head, tail] = [await log.exportPart(0, 13), await log.exportPart(13, 40)]
    expect([head.through, tail.through]).toEqual([13, 40])
    // Of a file of 13 entries the part would have ended it: without that, both together are the whole.
    const file = Buffer.concat([bytes, head.bytes.subarray(0, -4), tail.bytes])
    expect((await verify(file, '--key', key)).code).toBe(EXIT.trusted)
    const sizes = [file, before].map(async one => (await readLogFile(new Blob([one]), log.hash)).head.size)
    expect(await Promise.all(sizes)).toEqual([40, 40])
    await log.close()
  })

  test('has nothing of what was erased, and holds', async () => {
    const log = await openFilled(10)
    const id = newEventId()
    await createEventStore(log).appendToStream('a', [{ type: 'Said', id, data: 'a-secret' }])
    expect((await exported(log)).includes('a-secret')).toBe(true)
    await log.erasures.erase([id])
    const file = await exported(log)
    expect(file.includes('a-secret')).toBe(false)
    expect((await verify(file, '--key', key)).code).toBe(EXIT.trusted)
    await log.close()
  })

  test('does not hold with any byte changed, and is not read where it was cut off', async () => {
    const log = await openFilled(3)
    const file = await exported(log)
    for (let at = 0; at < file.length; at++) {
      const changed = Buffer.from(file)
      changed[at]! ^= 1
      const { code, out, error } = await verify(changed, '--key', key)
      expect([EXIT.fails, EXIT.unreadable], `byte ${at}: ${out}${error}`).toContain(code)
    }
    for (const length of [5, 100, file.length - 5, file.length - 1]) {
      expect((await verify(file.subarray(0, length), '--key', key)).code).toBe(EXIT.unreadable)
    }
    expect((await verify(Buffer.concat([file, Buffer.of(0)]), '--key', key)).code).toBe(EXIT.unreadable)
    await log.close()
  })

  test('with blocks left out, doubled, or of another log does not hold', async () => {
    const [log, other] = [await openFilled(4), await openFilled(4)]
    const [file, foreign] = [await exported(log), await exported(other)]
    const partsOf = async (bytes: Buffer<ArrayBuffer>) => {
      const { blocks } = await readLogFile(new Blob([bytes]), log.hash)
      const framed = blocks.map(({ start, length }) => bytes.subarray(start - 4, start + length))
      const framedBytes = framed.reduce((sum, { length }) => sum + length, 4)
      return { start: bytes.subarray(0, bytes.length - framedBytes), framed, end: Buffer.alloc(4) }
    }
    const [own, theirs] = [await partsOf(file), await partsOf(foreign)]
    const fileOf = (framed: readonly Buffer[]) => Buffer.concat([own.start, ...framed, own.end])
    expect((await verify(fileOf(own.framed), '--key', key)).code).toBe(EXIT.trusted)
    for (const framed of [
      own.framed.slice(0, -1),
      own.framed.slice(1),
      [...own.framed, own.framed.at(-1)!],
      own.framed.toReversed(),
      theirs.framed,
      [...own.framed.slice(0, 3), theirs.framed[3]!],
    ]) {
      expect((await verify(fileOf(framed), '--key', key)).code).toBe(EXIT.fails)
    }
    for (const one of [log, other]) await one.close()
  })
})
