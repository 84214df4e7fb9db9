// Blocks that cannot be read at all, or are gone, in a log that is begun anew: nothing that was pending is lost untold.

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { anchorOf } from '../../../src/engine/recovery/head-anchor.ts'
import { atRiskIn } from '../../../src/engine/recovery/salvage.ts'
import { decodeBlock } from '../../../src/log/block.ts'
import { KIND_AMENDMENT } from '../../../src/log/entry.ts'
import { eventIdOf, newEventId } from '../../../src/log/event-id.ts'
import { createMemoryDatabase, type MemoryDatabase } from '../../../src/storage/memory/index.ts'
import { append, damage, openDevice, openServer, pull, restore, sync, texts } from './damaged-logs.ts'

/** Events of which no two are in one block. */
const large = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`.repeat(40_000))

const zeroed = ({ blocks }: MemoryDatabase, at: number): void => {
  blocks[at] = { ...blocks[at]!, bytes: new Uint8Array(blocks[at]!.bytes.length) }
}
const gone = ({ blocks }: MemoryDatabase, at: number): void => {
  blocks.splice(at, 1)
}
/** The last byte before the digest is the bracket behind the metadata: with another one the columns are none. */
const withoutColumns = (database: MemoryDatabase, at: number): void =>
  damage(database, at, database.blocks[at]!.bytes.length - 33)

const rejectedData = async (log: EventLog) =>
  (await log.rejections()).map(({ events }) => events.map(({ data }) => data))

async function deviceWith(...commits: readonly (readonly string[])[]): Promise<MemoryDatabase> {
  const database = createMemoryDatabase()
  const log = await openDevice(database)
  for (const commit of commits) await append(log, 'a', commit)
  await log.close()
  return database
}

describe('the pending commit behind a block that cannot be read', () => {
  test('stays where the head of the block says that a commit ended with it', async () => {
    const database = await deviceWith(['one'], ['two', 'three'], ['four'])
    withoutColumns(database, 0)
    const { salvaged, quarantine, log } = await restore(database)
    expect(salvaged).toMatchObject({ lost: 1, setAside: [], rejected: [] })
    expect(quarantine).toMatchObject([{ firstPosition: 1, lastPosition: 1 }])
    expect(await texts(log)).toEqual(['a "two"', 'a "three"', 'a "four"'])
  })

  test('is told as rejected where the head says that it goes on from there', async () => {
    const [first, second, third] = large(3)
    const database = await deviceWith([first!, second!, third!], ['next'])
    withoutColumns(database, 1)
    const { salvaged, quarantine, log } = await restore(database)
    expect(await texts(log)).toEqual(['a "next"'])
    expect(await rejectedData(log)).toEqual([[first], [third]])
    expect(quarantine.map(({ firstPosition }) => firstPosition)).toEqual([1, 2, 3])
    expect(atRiskIn(salvaged)).toMatchObject({ events: 3, unsynced: 3 })
  })

  test.each([
    ['is all zeros', zeroed, 2],
    ['is gone', gone, 1],
  ])(
    'is told as rejected where that block %s, and those behind it stay',
    async (_, destroy, inQuarantine) => {
      const database = await deviceWith(['one'], ['two', 'three'], ['four'])
      destroy(database, 0)
      const { salvaged, quarantine, log } = await restore(database)
      expect(await texts(log)).toEqual(['a "four"'])
      expect(await log.rejections()).toMatchObject([
        { events: [{ data: 'two' }, { data: 'three' }], command: null, reason: { code: 'log-damaged' } },
      ])
      expect(quarantine).toHaveLength(inQuarantine)
      expect(quarantine.at(-1)).toMatchObject({ firstPosition: 2, lastPosition: 3 })
      const said = '"two""three"{}{}'.length
      expect(atRiskIn(salvaged)).toEqual({ events: 3, unsynced: 3, bytes: salvaged.lostBytes + said })
    },
  )

  test('stays where it is an amendment with all that it puts in', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const store = createEventStore(log)
    await append(log, 'a', ['one'])
    await append(log, 'b', ['lost'])
    const [one] = (await store.readStream('a')).events
    const event = { type: 'Said', id: newEventId(), data: 'instead' }
    await store.amendStream('a', [{ kind: 'replace', eventId: one!.metadata.eventId, event }], {
      reason: 'a mistake',
    })
    await log.close()
    zeroed(database, 1)
    const { log: restored } = await restore(database)
    expect(await texts(restored)).toEqual(['a "instead"'])
    expect(await restored.rejections()).toEqual([])
  })
})

describe('a commit that begins before a lost block', () => {
  test('is told as rejected as far as it can be read', async () => {
    const [first, second] = large(2)
    const database = await deviceWith(['before'], [first!, second!], ['next'])
    zeroed(database, 2)
    const { quarantine, log } = await restore(database)
    expect(await texts(log)).toEqual(['a "before"'])
    expect(await rejectedData(log)).toEqual([[first], ['next']])
    expect(quarantine.map(({ firstPosition }) => firstPosition)).toEqual([2, 3, 4])
  })

  test('is told of where the log ends within it, though nobody knows of its end', async () => {
    const [first, second] = large(2)
    const database = await deviceWith(['before'], [first!, second!])
    gone(database, 2)
    const { quarantine, log } = await restore(database)
    expect(await texts(log)).toEqual(['a "before"'])
    expect(await rejectedData(log)).toEqual([[first]])
    expect(quarantine).toMatchObject([{ firstPosition: 2, lastPosition: 2 }])
  })
})

test('several lost blocks each cost the commit behind them, and no other', async () => {
  const database = await deviceWith(['1'], ['2'], ['3'], ['4'], ['5'], ['6'], ['7'])
  for (const at of [0, 3, 4]) zeroed(database, at)
  const { salvaged, log } = await restore(database)
  expect(salvaged).toMatchObject({ lost: 3, firstLost: 1 })
  expect(await texts(log)).toEqual(['a "3"', 'a "7"'])
  expect(await rejectedData(log)).toEqual(expect.arrayContaining([['2'], ['6']]))
})

test('a last block that is gone is counted by the anchor, and by none of another store', async () => {
  const cut = async () => {
    const database = await deviceWith(['one'], ['two', 'three'])
    const log = await openDevice(database)
    const anchor = (await anchorOf(log))!
    await log.close()
    gone(database, 1)
    return { database, anchor }
  }
  const { database, anchor } = await cut()
  const { salvaged, log } = await restore(database, anchor)
  expect(salvaged).toMatchObject({ lost: 2, lostUnsynced: 2, firstLost: 2 })
  expect(await texts(log)).toEqual(['a "one"'])
  const other = await cut()
  expect((await restore(other.database, { ...other.anchor, storeId: 'other' })).salvaged).toMatchObject({
    lost: 0,
    firstLost: null,
  })
})

describe('what sync noted', () => {
  /** Another device was first: what was pending follows once more behind the note and what the server had. */
  async function rebased(...pending: readonly string[]) {
    const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
    const log = await openDevice(database)
    for (const text of pending) await append(log, 'a', [text])
    await append(other, 'a', ['theirs'])
    await sync(other, server)
    await pull(log, server)
    return { database, server, log }
  }

  test('counts right behind a lost block, so that nothing superseded comes back', async () => {
    const { database, server, log } = await rebased('mine', 'lost')
    await log.close()
    zeroed(database, 1)
    const { log: restored } = await restore(database)
    expect(await texts(restored)).toEqual(['a "mine"', 'a "lost"'])
    expect(await restored.rejections()).toEqual([])
    await sync(restored, server)
    expect(await texts(restored)).toEqual(['a "theirs"', 'a "mine"', 'a "lost"'])
  })

  test('may be lost itself, and nothing comes back twice', async () => {
    const { database, server, log } = await rebased('mine')
    await log.close()
    const { bytes } = database.blocks[1]!
    damage(database, 1, Buffer.from(bytes).indexOf('"epoch"') + 2)
    const { salvaged, log: restored } = await restore(database)
    expect(salvaged).toMatchObject({ lost: 1 })
    expect(await texts(restored)).toEqual(['a "theirs"', 'a "mine"'])
    await sync(restored, server)
    expect(await texts(restored)).toEqual(['a "theirs"', 'a "mine"'])
  })

  test('of a pending commit that was taken up again: told as rejected, as it was before, where that is lost', async () => {
    const { database, log } = await rebased('mine', 'too')
    await log.close()
    // In the words of the later of the two.
    const { bytes } = database.blocks[2]!
    damage(database, 2, Buffer.from(bytes).lastIndexOf('"mine"') + 2)
    const { log: restored } = await restore(database)
    expect(await texts(restored)).toEqual(['a "too"'])
    expect(await restored.rejections()).toMatchObject([
      { events: [{ data: 'mine' }], reason: { code: 'log-damaged' } },
    ])
  })

  test('of a commit that was rejected then: told as it was, whatever is lost', async () => {
    const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
    const log = await openDevice(database)
    await append(log, 'a', ['mine'], 'reject')
    await append(other, 'a', ['theirs'])
    await sync(other, server)
    await pull(log, server)
    const before = await log.rejections()
    expect(before).toMatchObject([{ reason: { code: 'version-conflict' } }])
    await append(log, 'b', ['later'])
    await log.close()
    zeroed(database, database.blocks.length - 1)
    const { log: restored } = await restore(database)
    expect(await restored.rejections()).toEqual(before)
  })

  test('may be lost with what it rejected still there, and amendments name what they named', async () => {
    const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
    const log = await openDevice(database)
    await append(log, 'a', ['mine'], 'reject')
    await append(other, 'a', ['theirs'])
    await sync(other, server)
    await pull(log, server)
    for (const { id } of await log.rejections()) await log.acknowledgeRejection(id)
    await append(log, 'a', ['later'])
    const later = (await createEventStore(log).readStream('a')).events.at(-1)!
    const { eventId } = later.metadata
    await createEventStore(log).amendStream('a', [{ kind: 'move', eventId, after: null }], { reason: '' })
    await log.close()
    damage(database, 1, Buffer.from(database.blocks[1]!.bytes).indexOf('"epoch"') + 2)
    const { log: restored } = await restore(database)
    expect(await restored.rejections()).toEqual([])
    const { events } = await createEventStore(restored).readStream('a')
    expect(events.map(({ data }) => data)).toEqual(['later', 'mine', 'theirs'])
  })
})

const streams = fc.constantFrom('a', 'b')
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('append' as const),
      stream: streams,
      sizes: fc.array(fc.constantFrom(5, 3_000, 30_000), { minLength: 1, maxLength: 5 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      type: fc.constant('together' as const),
      stream: streams,
      count: fc.integer({ min: 2, max: 5 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant('amend' as const), stream: streams }) },
  fc.record({ type: fc.constant('sync' as const) }),
  fc.record({ type: fc.constant('other' as const) }),
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

class Devices {
  readonly #log: EventLog
  readonly #other: EventLog
  readonly #server: EventLog
  #count = 0

  constructor(log: EventLog, other: EventLog, server: EventLog) {
    this.#log = log
    this.#other = other
    this.#server = server
  }

  async take(one: Step): Promise<void> {
    switch (one.type) {
      case 'append':
        return append(
          this.#log,
          one.stream,
          one.sizes.map(size => this.#text(size)),
        )
      case 'together': {
        const texts = Array.from({ length: one.count }, () => this.#text(5))
        await Promise.all(texts.map(text => append(this.#log, one.stream, [text])))
        return
      }
      case 'amend':
        return this.#amend(one.stream)
      case 'sync':
        return sync(this.#log, this.#server)
      case 'other':
        await append(this.#other, 'a', [this.#text(5)])
        return sync(this.#other, this.#server)
    }
  }

  async #amend(streamName: string): Promise<void> {
    const store = createEventStore(this.#log)
    const [event] = (await store.readStream(streamName)).events
    if (!event) return
    const saying = () => ({ type: 'Said', id: newEventId(), data: this.#text(5) })
    const { eventId } = event.metadata
    const changes = [
      { kind: 'replace', eventId, event: saying() },
      { kind: 'insert', after: null, event: saying() },
    ] as const
    await store.amendStream(streamName, changes, { reason: 'a mistake' })
  }

  #text(size: number): string {
    return `${this.#count++}`.padEnd(size, '.')
  }
}

/** The last position of each id: a commit that was taken up again stands in the log twice. */
function positionsIn({ blocks }: MemoryDatabase): Map<string, number> {
  const positions = new Map<string, number>()
  for (const { bytes, firstPosition } of blocks) {
    const block = decodeBlock(bytes, firstPosition)
    for (let i = 0; i < block.count; i++) positions.set(eventIdOf(block.idOf(i)), firstPosition + i)
  }
  return positions
}

async function toldIn(log: EventLog): Promise<Set<string>> {
  const rejections = await log.rejections()
  return new Set(
    rejections.flatMap(({ events, amendment }) => [
      ...events.map(({ eventId }) => eventId),
      ...(amendment ? [amendment.amendmentId] : []),
    ]),
  )
}

const KINDS = { zeroed, gone, withoutColumns }
const destruction = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom('zeroed' as const, 'gone' as const, 'withoutColumns' as const),
})

test('whatever blocks are lost, every pending event that can be read is in the log with its whole commit, or told', async () => {
  const seen = { kept: 0, told: 0, spanning: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 1, maxLength: 10 }),
      fc.array(destruction, { minLength: 1, maxLength: 3 }),
      async (steps, destructions) => {
        const [database, server, other] = [createMemoryDatabase(), await openServer(), await openDevice()]
        const log = await openDevice(database)
        const devices = new Devices(log, other, server)
        for (const one of steps) await devices.take(one)
        const pending = await log.pendingCommits(Number.POSITIVE_INFINITY)
        const anchor = await anchorOf(log)
        await log.close()
        const positions = positionsIn(database)

        const [lost, unknown] = [new Set<number>(), new Set<number>()]
        const chosen = new Map(destructions.map(({ at, kind }) => [at % (database.blocks.length || 1), kind]))
        for (const [at, kind] of [...chosen].sort(([a], [b]) => b - a)) {
          const block = database.blocks[at]
          if (!block) continue
          for (let p = block.firstPosition; p <= block.lastPosition; p++) lost.add(p)
          if (kind !== 'withoutColumns') unknown.add(block.lastPosition)
          KINDS[kind](database, at)
        }

        const { salvaged, quarantine, log: restored } = await restore(database, anchor)
        expect(salvaged.lost).toBe(lost.size)
        expect(await restored.verify()).toMatchObject({ ok: true })
        const inLog = positionsIn(database)
        const entries = database.blocks.reduce(
          (sum, one) => sum + one.lastPosition - one.firstPosition + 1,
          0,
        )
        expect(inLog.size).toBe(entries)
        const told = await toldIn(restored)
        const inQuarantine = (position: number): boolean =>
          quarantine.some(one => one.firstPosition <= position && position <= one.lastPosition)
        for (const commit of pending) {
          const ids = commit.entries.map(({ eventId }) => eventIdOf(eventId))
          const kept = ids.filter(id => inLog.has(id))
          expect([0, ids.length]).toContain(kept.length)
          seen.kept += kept.length
          if (kept.length > 0) continue
          const readable = ids.filter(id => !lost.has(positions.get(id)!))
          for (const id of readable) expect(told).toContain(id)
          seen.told += readable.length
          if (readable.length > 0 && readable.length < ids.length) {
            seen.spanning++
            for (const id of readable) expect(inQuarantine(positions.get(id)!)).toBe(true)
          }
          const isAmendment = commit.entries.at(-1)!.kind === KIND_AMENDMENT
          const mayHaveBegunBefore = unknown.has(positions.get(ids[0]!)! - 1)
          // An amendment may also name what is lost, or what comes again only now.
          if (!isAmendment && !mayHaveBegunBefore) expect(readable.length).toBeLessThan(ids.length)
        }

        await sync(restored, server)
        await pull(other, server)
        expect(await texts(restored)).toEqual(await texts(other))
        const [inTheEnd, toldInTheEnd] = [positionsIn(database), await toldIn(restored)]
        for (const id of inLog.keys()) expect(inTheEnd.has(id) || toldInTheEnd.has(id)).toBe(true)
        await Promise.all([restored.close(), other.close(), server.close()])
      },
    ),
    { numRuns: Number(process.env['LOST_BLOCKS'] ?? 60) },
  )
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(0)
})
