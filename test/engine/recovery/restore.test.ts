// A damaged log is begun anew: nothing that can be read is lost, and the server brings the rest.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { restoreLog } from '../../../src/engine/recovery/restore.ts'
import { salvage } from '../../../src/engine/recovery/salvage.ts'
import { readVerdicts } from '../../../src/engine/recovery/verdict-book.ts'
import { decodeBlock } from '../../../src/log/block.ts'
import { newEventId } from '../../../src/log/event-id.ts'
import type { Amendment } from '../../../src/model/amendment.ts'
import { createMemoryDatabase, memoryStorage } from '../../../src/storage/memory/index.ts'
import {
  append,
  damage,
  fill,
  hash,
  openDevice,
  openServer,
  pull,
  restore,
  STORE,
  sync,
  texts,
} from './damaged-logs.ts'

/** A device with three confirmed events and three pending ones, each commit in a block of its own. */
async function device() {
  const [database, server] = [createMemoryDatabase(), await openServer()]
  const log = await openDevice(database)
  for (const text of ['one', 'two', 'three']) await append(log, 'a', [text])
  await sync(log, server)
  await append(log, 'a', ['four'])
  await append(log, 'b', ['five', 'six'])
  await log.close()
  return { database, server }
}

describe('a log that is begun anew', () => {
  test('keeps what is pending where what is confirmed was damaged, and syncs to what it was', async () => {
    const { database, server } = await device()
    damage(database, 1)
    await expect(openDevice(database).then(log => texts(log))).rejects.toMatchObject({ code: 'log-damaged' })
    const { salvaged, quarantine, log } = await restore(database)
    expect(salvaged).toMatchObject({ lost: 1, lostUnsynced: 0, firstLost: 2 })
    expect(quarantine).toMatchObject([{ firstPosition: 2, lastPosition: 2 }])
    expect(await texts(log)).toEqual(['a "four"', 'b "five"', 'b "six"'])
    expect(await log.verify()).toMatchObject({ ok: true, events: 3 })
    await sync(log, server)
    const all = ['a "one"', 'a "two"', 'a "three"', 'a "four"', 'b "five"', 'b "six"']
    expect(await texts(log)).toEqual(all)
    const other = await openDevice()
    await pull(other, server)
    expect(await texts(other)).toEqual(all)
    await log.close()
  })

  test('sets aside a pending commit that was damaged, whole, and keeps the others', async () => {
    const { database, server } = await device()
    const last = database.blocks.at(-1)!
    const bytes = last.bytes.slice()
    // In the words of the second of two events.
    bytes[Buffer.from(bytes).indexOf('"six"') + 2]! ^= 1
    database.blocks[database.blocks.length - 1] = { ...last, bytes }
    const { salvaged, quarantine, log } = await restore(database)
    expect(salvaged).toMatchObject({ lost: 1, lostUnsynced: 1 })
    expect(quarantine).toEqual([
      {
        firstPosition: last.firstPosition,
        lastPosition: last.lastPosition,
        bytes,
        setAsideAt: expect.any(Number),
      },
    ])
    expect(await texts(log)).toEqual(['a "four"'])
    await sync(log, server)
    expect(await texts(log)).toEqual(['a "one"', 'a "two"', 'a "three"', 'a "four"'])
    await log.close()
  })

  test('keeps the pending commit behind a block whose columns are no block any more', async () => {
    const { database } = await device()
    const at = database.blocks.length - 2
    const block = database.blocks[at]!
    // In the bytes before the digest the JSON of metadata ends: it does not, now.
    damage(database, at, block.bytes.length - 33)
    const { salvaged, quarantine, log } = await restore(database)
    expect(salvaged).toMatchObject({ lost: 1, lostUnsynced: 1, setAside: [] })
    expect(quarantine).toHaveLength(1)
    expect(await texts(log)).toEqual(['b "five"', 'b "six"'])
    expect(await log.rejections()).toEqual([])
    await log.close()
  })

  test('takes up commands again, and what the server had meanwhile decides', async () => {
    const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
    const log = await openDevice(database)
    await append(log, 'a', ['one'])
    await sync(log, server)
    await fill(log, 6)
    await fill(log, 3)
    await log.close()
    await fill(other, 3)
    await sync(other, server)
    damage(database, 0)
    const { log: restored } = await restore(database)
    await sync(restored, server)
    expect(await texts(restored)).toEqual(['a "one"', 'tank-1 {"by":3}', 'tank-1 {"by":6}'])
    expect(await restored.rejections()).toMatchObject([{ command: { decider: 'tank', id: '1' } }])
    await restored.close()
  })

  describe('with pending amendments', () => {
    const amend = (
      log: EventLog,
      streamName: string,
      amendments: readonly Amendment[],
      reason = 'a mistake',
    ) => createEventStore(log).amendStream(streamName, amendments, { reason })
    const saying = (data: string) => ({ type: 'Said', id: newEventId(), data })
    const counting = async (log: EventLog) =>
      (await createEventStore(log).readStream('a')).events.map(({ data }) => data)

    test('keeps those of what is pending, whatever was lost before them', async () => {
      const [database, server] = [createMemoryDatabase(), await openServer()]
      const log = await openDevice(database)
      for (const text of ['lost', 'one', 'two']) await append(log, 'a', [text])
      const [, one, two] = (await createEventStore(log).readStream('a')).events
      const x = saying('X')
      await amend(log, 'a', [
        { kind: 'insert', after: one!.metadata.eventId, event: x },
        { kind: 'move', eventId: two!.metadata.eventId, after: null },
      ])
      await amend(log, 'a', [{ kind: 'replace', eventId: x.id, event: saying('Y') }])
      expect(await counting(log)).toEqual(['two', 'lost', 'one', 'Y'])
      await log.close()
      damage(database, 0, Buffer.from(database.blocks[0]!.bytes).indexOf('"lost"') + 2)
      const { log: restored } = await restore(database)
      expect(await counting(restored)).toEqual(['two', 'one', 'Y'])
      expect(await restored.rejections()).toEqual([])
      expect(await restored.verify()).toMatchObject({ ok: true })
      await sync(restored, server)
      const other = await openDevice()
      await pull(other, server)
      for (const one of [restored, other]) {
        expect(await counting(one)).toEqual(['two', 'one', 'Y'])
        expect(await createEventStore(one).amendments('a')).toHaveLength(2)
        await one.close()
      }
    })

    test('tells of those of what comes again from the server, and whoever made them may try again', async () => {
      const { database, server } = await device()
      const log = await openDevice(database)
      const [one, two, , four] = (await createEventStore(log).readStream('a')).events
      const ids = { one: one!.metadata.eventId, two: two!.metadata.eventId, four: four!.metadata.eventId }
      const x = saying('X')
      const replacing: Amendment = { kind: 'replace', eventId: ids.two, event: x }
      await amend(log, 'a', [replacing], 'it was X')
      await amend(log, 'a', [{ kind: 'move', eventId: x.id, after: null }], 'X came first')
      await amend(log, 'a', [{ kind: 'move', eventId: ids.four, after: null }], 'four came first')
      await log.close()
      damage(database, 0)
      const { log: restored } = await restore(database)
      expect(await counting(restored)).toEqual(['four'])
      const rejections = await restored.rejections()
      expect(rejections).toHaveLength(2)
      expect(rejections).toMatchObject([
        {
          id: x.id,
          amendment: { reason: 'it was X', changes: [{ kind: 'replace', eventId: ids.two, by: x.id }] },
          events: [{ eventId: x.id, data: 'X' }],
          reason: { code: 'unknown-event' },
        },
        { amendment: { reason: 'X came first', changes: [{ kind: 'move', eventId: x.id, after: null }] } },
      ])
      await sync(restored, server)
      expect(await counting(restored)).toEqual(['four', 'one', 'two', 'three'])
      await amend(restored, 'a', [replacing])
      await sync(restored, server)
      expect(await counting(restored)).toEqual(['four', 'one', 'X', 'three'])
      expect(await restored.verify()).toMatchObject({ ok: true })
      await restored.close()
    })

    test('says of an event that cannot be read any more that nobody knows its id', async () => {
      const { database } = await device()
      const log = await openDevice(database)
      const [one] = (await createEventStore(log).readStream('a')).events
      await amend(log, 'a', [{ kind: 'remove', eventId: one!.metadata.eventId }])
      await log.close()
      database.blocks[0] = { ...database.blocks[0]!, bytes: new Uint8Array(100) }
      const { log: restored } = await restore(database)
      expect(await restored.rejections()).toMatchObject([
        { amendment: { changes: [{ kind: 'remove', eventId: '00000000-0000-0000-0000-000000000000' }] } },
      ])
      await restored.close()
    })
  })

  test('does not take up again what was superseded', async () => {
    const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
    const log = await openDevice(database)
    await append(log, 'a', ['mine'])
    await append(other, 'a', ['theirs'])
    await sync(other, server)
    await pull(log, server)
    await append(log, 'c', ['later'])
    await log.close()
    const storage = memoryStorage({ database })
    await storage.open()
    const { pending, lost } = await salvage(storage, hash)
    expect(lost).toBe(0)
    const names = pending.flatMap(({ entries }) =>
      entries.map(({ payload }) => new TextDecoder().decode(payload)),
    )
    expect(names).toEqual(['"mine"', '"later"'])
  })

  test('knows of blocks that are missing', async () => {
    const { database } = await device()
    const [gone] = database.blocks.splice(1, 1)
    const { salvaged, log } = await restore(database)
    expect(salvaged).toMatchObject({ lost: 1, firstLost: gone!.firstPosition, quarantine: [] })
    expect(await texts(log)).toEqual(['a "four"', 'b "five"', 'b "six"'])
    await log.close()
  })

  test('keeps what is no content of the log: rejections, verdicts, the pinned key of the server', async () => {
    const { database } = await device()
    const value = new Uint8Array([1])
    for (const key of ['rejection/1', 'verdict/1', 'sync/server-key', 'index/tip', 'snapshot/x']) {
      database.values.set(key, value)
    }
    const { salvaged, log } = await restore(database)
    await log.close()
    const kept = [...database.values.keys()].filter(key => !key.startsWith('index/'))
    const own = `verdict/${salvaged.verdict.id}`
    expect(kept.toSorted()).toEqual(['rejection/1', 'sync/server-key', 'verdict/1', own].toSorted())
  })

  test('is told of in the same transaction, in the log and beside it, each time', async () => {
    const { database } = await device()
    const told = []
    for (let times = 0; times < 2; times++) {
      const at = database.blocks.length - 1
      damage(database, at, database.blocks[at]!.bytes.length - 33)
      const storage = memoryStorage({ database })
      await storage.open()
      const { verdict } = await restoreLog(storage, { storeId: STORE, hash })
      expect(verdict).toMatchObject({ finding: 'damaged', action: 'restored' })
      told.push(verdict)
      expect((await readVerdicts(storage)).map(({ id }) => id).toSorted()).toEqual(
        told.map(({ id }) => id).toSorted(),
      )
      await storage.close()
      const last = database.blocks.at(-1)!
      const block = decodeBlock(last.bytes, last.firstPosition)
      const entry = block.entry(block.count - 1)
      expect(entry).toMatchObject({ streamName: '$integrity', type: 'verdict-reached' })
      expect(JSON.parse(new TextDecoder().decode(entry.payload))).toEqual(verdict)
    }
  })

  test('is left alone where the storage is nobody’s device', async () => {
    const { reset: _, ...others } = memoryStorage() as unknown as Record<string, unknown>
    const storage = { ...others, open: async () => {} } as never
    await expect(restoreLog(storage, { storeId: STORE, hash })).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })
})

test('whatever is damaged, all that was confirmed comes back, and all that can be read of what is pending stays, once', async () => {
  const step = fc.oneof(
    fc.record({
      type: fc.constant('append' as const),
      stream: fc.constantFrom('a', 'b'),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    fc.constant({ type: 'sync' as const }),
    fc.constant({ type: 'other' as const }),
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 12 }),
      fc.array(fc.tuple(fc.nat(), fc.nat(100_000)), { maxLength: 4 }),
      async (steps, damages) => {
        const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
        const log = await openDevice(database)
        let n = 0
        for (const one of steps) {
          if (one.type === 'append')
            await append(
              log,
              one.stream,
              [...Array(one.count)].map(() => `own ${n++}`),
            )
          else if (one.type === 'sync') await sync(log, server)
          else {
            await append(other, 'a', [`other ${n++}`])
            await sync(other, server)
          }
        }
        await log.close()
        for (const [at, byte] of damages) {
          if (database.blocks.length > 0) damage(database, at % database.blocks.length, byte)
        }
        const { salvaged, log: restored } = await restore(database).catch(error => {
          // One of the changes made it a newer format, which nobody here can judge.
          expect(error).toMatchObject({ code: 'unsupported-format' })
          return { salvaged: null, log: null }
        })
        if (!restored) return
        const kept = await texts(restored)
        expect(await restored.verify()).toMatchObject({ ok: true })
        await sync(restored, server)
        await pull(other, server)
        const end = await texts(restored)
        expect(end).toEqual(await texts(other))
        expect(new Set(end).size).toBe(end.length)
        for (const text of kept) expect(end).toContain(text)
        const events = salvaged.pending.flatMap(({ entries }) => entries).length
        expect(kept).toHaveLength(events)
        await restored.close()
      },
    ),
    { numRuns: 60 },
  )
})
