// What of a log was lost is put back from the server, to the byte of its hashes, or left as it is and told.

import fc from 'fast-check'
import { afterEach, expect, test, vi } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import type { ConfirmedSource } from '../../src/engine/recovery/healing.ts'
import type { Damage, HealOutcome } from '../../src/engine/recovery/recovery-machine.ts'
import { Block } from '../../src/log/block.ts'
import { hexOf, utf8 } from '../../src/log/bytes.ts'
import { KIND_EVENT } from '../../src/log/entry.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { createMemoryDatabase, type MemoryDatabase } from '../../src/storage/memory/index.ts'
import { confirmedCommits } from '../../src/sync/confirmed-commits.ts'
import { placeOf } from '../support/stored-text.ts'
import { type Device, SyncWorld, TOKEN } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

const worlds: SyncWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.close()
})

type Replica = Readonly<{ device: Device; database: MemoryDatabase }>

function createWorld(): SyncWorld {
  const world = new SyncWorld()
  worlds.push(world)
  return world
}

async function start(world: SyncWorld, database = createMemoryDatabase()): Promise<Replica> {
  const device = await world.openDevice(database)
  device.loop.start()
  return { device, database }
}

const sourceFor = (world: SyncWorld, { log }: Device): ConfirmedSource =>
  confirmedCommits({
    url: 'http://server/',
    token: () => TOKEN,
    fetch: (url, init) => world.server.fetch(new Request(url, init)),
    hash: log.hash,
    signal: new AbortController().signal,
  })

/** A block with one byte changed, in the place of what was stored. */
function changeByte(database: MemoryDatabase, block: number, at: number): void {
  const stored = database.blocks[block]!
  const bytes = stored.bytes.slice()
  bytes[at % bytes.length]! ^= 0x20
  database.blocks[block] = { ...stored, bytes }
}

/** Hashes of all entries, from the first. */
const hashesIn = ({ blocks }: MemoryDatabase): string[] =>
  blocks.flatMap(({ bytes }) => {
    const block = new Block(bytes)
    return Array.from({ length: block.count }, (_, i) => hexOf(block.hashOf(i)))
  })

async function textsOf({ log }: Device): Promise<unknown[]> {
  const texts: unknown[] = []
  for await (const { data } of createEventStore(log).readAll()) texts.push(data)
  return texts
}

type Healed = Readonly<{ damage: Damage | null; outcome: HealOutcome | null }>

async function healAt(position: number, device: Device, world: SyncWorld): Promise<Healed> {
  const damage = await device.log.healing.examine(position)
  return { damage, outcome: damage && (await device.log.healing.heal(damage, sourceFor(world, device))) }
}

/** Opened anew on the same database, so that nothing of it is in memory. */
async function reopened(world: SyncWorld, { device, database }: Replica): Promise<Replica> {
  await device.loop.stop()
  await device.log.close()
  world.devices.splice(world.devices.indexOf(device), 1)
  return start(world, database)
}

test('a changed payload is put back, and nobody read it meanwhile', async () => {
  const world = createWorld()
  const [one, two] = [await start(world), await start(world)]
  await one.device.append('a', ['first', 'second', 'third'])
  await world.converge()
  await two.device.append('a', ['fourth'])
  await world.converge()
  const before = hashesIn(two.database)
  const again = await reopened(world, two)
  const [block, at] = placeOf('second', again.database)
  const heard: number[] = []
  again.device.log.onDamaged(position => heard.push(position))
  const changes: (number | null)[] = []
  again.device.log.onChange(({ healedFrom }) => changes.push(healedFrom))
  changeByte(again.database, block, at)
  await expect(textsOf(again.device)).rejects.toMatchObject({ code: 'log-damaged' })
  const { firstPosition } = again.database.blocks[block]!
  expect(heard).toEqual([firstPosition])
  const { damage, outcome } = await healAt(firstPosition, again.device, world)
  expect(damage).toMatchObject({
    firstPosition,
    atRisk: { events: 1, unsynced: 0, bytes: '"second"{}'.length },
    obstacle: null,
  })
  expect(outcome).toEqual({ type: 'healed' })
  expect(changes).toEqual([firstPosition])
  expect(hashesIn(again.database)).toEqual(before)
  expect(await textsOf(again.device)).toEqual(['first', 'second', 'third', 'fourth'])
  expect(await again.device.log.verify()).toMatchObject({ ok: true })
  expect(await again.device.log.healing.examine(firstPosition)).toBe(null)
})

test('a changed amendment is put back, and counts again', async () => {
  const world = createWorld()
  const [one, two] = [await start(world), await start(world)]
  await one.device.append('a', ['first', 'second', 'third'])
  const [, second] = (await createEventStore(one.device.log).readStream('a')).events
  await createEventStore(one.device.log).amendStream(
    'a',
    [{ kind: 'replace', eventId: second!.metadata.eventId, event: { type: 'Said', data: 'instead' } }],
    { reason: 'by mistake' },
  )
  await world.converge()
  const before = hashesIn(two.database)
  const again = await reopened(world, two)
  const [block, at] = placeOf('by mistake', again.database)
  const { firstPosition } = again.database.blocks[block]!
  changeByte(again.database, block, at)
  expect(await again.device.log.verify()).toMatchObject({ ok: false, problem: 'hash-mismatch' })
  expect((await healAt(firstPosition, again.device, world)).outcome).toEqual({ type: 'healed' })
  expect(hashesIn(again.database)).toEqual(before)
  expect(await textsOf(again.device)).toEqual(['first', 'instead', 'third'])
  expect(await createEventStore(again.device.log).amendments('a')).toMatchObject([{ reason: 'by mistake' }])
  expect(await again.device.log.verify()).toMatchObject({ ok: true })
})

test('what is pending, or of this device alone, stays as it is: the server has nothing to put in its place', async () => {
  const world = createWorld()
  const one = await start(world)
  await one.device.append('a', ['sent'])
  await world.converge()
  one.device.loop.setOnline(false)
  await one.device.append('a', ['pending'])
  for (const [text, reason] of [
    ['pending', 'the server has not confirmed all of it'],
    [
      'server-position-reached',
      'some of it was of this device alone: its notes, or what a rebase superseded',
    ],
  ] as const) {
    const [block, at] = placeOf(text, one.database)
    const stored = one.database.blocks[block]!
    changeByte(one.database, block, at)
    const changed = one.database.blocks[block]!.bytes
    const { damage, outcome } = await healAt(stored.firstPosition, one.device, world)
    expect(damage).toMatchObject({ obstacle: reason })
    expect(outcome).toEqual({ type: 'refused', reason })
    expect(one.database.blocks[block]!.bytes).toBe(changed)
    one.database.blocks[block] = stored
  }
})

test('without an answer nothing is changed, and it is healed later', async () => {
  const world = createWorld()
  const one = await start(world)
  await one.device.append('a', ['sent'])
  await world.converge()
  const [block, at] = placeOf('sent', one.database)
  const { firstPosition } = one.database.blocks[block]!
  changeByte(one.database, block, at)
  const damage = (await one.device.log.healing.examine(firstPosition))!
  const unreachable = confirmedCommits({
    url: 'http://server/',
    token: () => TOKEN,
    fetch: () => Promise.reject(new TypeError('fetch failed')),
    hash: one.device.log.hash,
    signal: new AbortController().signal,
  })
  expect(await one.device.log.healing.heal(damage, unreachable)).toEqual({ type: 'unanswered' })
  expect(await one.device.log.healing.heal(damage, sourceFor(world, one.device))).toEqual({ type: 'healed' })
  // Another tab that found it, too.
  expect(await one.device.log.healing.heal(damage, sourceFor(world, one.device))).toEqual({ type: 'sound' })
})

test('a server that has another log, or another event, is not believed', async () => {
  const world = createWorld()
  const one = await start(world)
  await one.device.append('a', ['sent', 'sent-too'])
  await world.converge()
  const [block, at] = placeOf('sent', one.database)
  const { firstPosition } = one.database.blocks[block]!
  changeByte(one.database, block, at)
  const damage = (await one.device.log.healing.examine(firstPosition))!
  const honest = sourceFor(world, one.device)
  const lying: ConfirmedSource = (behind, take) =>
    honest(behind, (commit, isCut) =>
      take(
        commit.map(entry => ({ ...entry, payload: utf8('"sold"') })),
        isCut,
      ),
    )
  expect(await one.device.log.healing.heal(damage, lying)).toEqual({
    type: 'refused',
    reason: `the server has another event at position ${firstPosition}`,
  })
  await world.replaceServer()
  expect(await one.device.log.healing.heal(damage, honest)).toEqual({
    type: 'refused',
    reason: 'the server has another log than before',
  })
  expect(await one.device.log.verify()).toMatchObject({ ok: false, problem: 'hash-mismatch' })
})

test('where the hash itself is lost, the event that follows says what it was', async () => {
  const world = createWorld()
  const one = await start(world)
  await one.device.append('a', ['sent'])
  await one.device.append('a', ['sent-too'])
  await world.converge()
  const [index] = placeOf('sent', one.database)
  const { bytes, firstPosition } = one.database.blocks[index]!
  const before = hashesIn(one.database)
  const block = new Block(bytes)
  const first = Array.from(block.kinds).indexOf(KIND_EVENT)
  changeByte(one.database, index, block.hashOf(first).byteOffset - bytes.byteOffset)
  const damage = (await one.device.log.healing.examine(firstPosition))!
  const chain = new HashChain(one.device.log.hash)
  const honest = sourceFor(world, one.device)
  // Each holds in itself, and links to what is before it.
  const rewriting: ConfirmedSource = (behind, take) =>
    honest(behind, ([entry, ...rest], isCut) => {
      const other = { ...entry!, payload: utf8('"sold"') }
      return take([{ ...other, hash: chain.hashOf(other) }, ...rest], isCut)
    })
  expect(await one.device.log.healing.heal(damage, rewriting)).toMatchObject({ type: 'refused' })
  expect(await one.device.log.healing.heal(damage, honest)).toEqual({ type: 'healed' })
  expect(hashesIn(one.database)).toEqual(before)
})

test('any byte of any block: put back as it was, or left as it is with the reason', async () => {
  const outcomes = new Map<string, number>()
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          device: fc.nat(1),
          stream: fc.constantFrom('a', 'b'),
          events: fc.integer({ min: 1, max: 4 }),
          goesOffline: fc.boolean(),
          isErased: fc.boolean(),
        }),
        { minLength: 2, maxLength: 10 },
      ),
      fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 3 }),
      async (steps, changes) => {
        const world = new SyncWorld()
        try {
          const replicas = [await start(world), await start(world)]
          await world.converge()
          for (const [n, { device, stream, events, goesOffline, isErased }] of steps.entries()) {
            const replica = replicas[device]!.device
            replica.loop.setOnline(!goesOffline)
            await replica.append(
              stream,
              Array.from({ length: events }, (_, i) => `text ${n}.${i}`),
            )
            if (isErased) await eraseFirst(replica)
            if (!goesOffline) await world.run(() => replica.loop.status().pending === 0)
          }
          for (const { device } of replicas) device.loop.setOnline(true)
          await world.converge()
          const replica = await reopened(world, replicas[0]!)
          await world.converge()
          const before = hashesIn(replica.database)
          const texts = await textsOf(replica.device)
          const stored = [...replica.database.blocks]
          for (const [block, at] of changes) {
            const index = block % stored.length
            changeByte(replica.database, index, at)
            const { firstPosition } = stored[index]!
            const { outcome } = await healAt(firstPosition, replica.device, world)
            const result = outcome?.type === 'refused' ? outcome.reason.replace(/\d+/, 'n') : outcome?.type
            outcomes.set(String(result), (outcomes.get(String(result)) ?? 0) + 1)
            if (outcome?.type !== 'healed') replica.database.blocks[index] = stored[index]!
            expect(hashesIn(replica.database)).toEqual(before)
            expect(await replica.device.log.verify()).toMatchObject({ ok: true })
            expect(await textsOf(replica.device)).toEqual(texts)
          }
        } finally {
          await world.close()
        }
      },
    ),
    { numRuns: 150 },
  )
  const healed = outcomes.get('healed') ?? 0
  expect(healed).toBeGreaterThan(30)
  expect([...outcomes.keys()].toSorted()).toEqual([
    'healed',
    'some of it was of this device alone: its notes, or what a rebase superseded',
  ])
})

async function eraseFirst({ log }: Device): Promise<void> {
  for await (const { metadata } of createEventStore(log).readAll()) {
    await log.erasures.erase([metadata.eventId])
    return
  }
}
