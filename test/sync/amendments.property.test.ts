// Three devices that append under every policy, command, amend and erase as chance will have it, over a network that fails:
// all come to the same, nothing is lost, and at no time does anything count that was taken back.

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import type { Projector } from '../../src/engine/replay/projector.ts'
import type { OnConflict } from '../../src/log/commit-note.ts'
import { newEventId } from '../../src/log/event-id.ts'
import type { Amendment } from '../../src/model/amendment.ts'
import type { Conflict } from '../../src/model/merge.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import {
  DOCUMENTS,
  hashesBy,
  projectorOn,
  read,
  say,
  saying,
  serverLog,
  start,
  stateHashes,
  textsOf,
} from './amended-devices.ts'
import { type Device, FAULTS, nextTurn, STORE, SyncWorld, tankApp } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

const STREAMS = ['a', 'b'] as const
/** What counts, with its place among the events of its stream and of all; the same for all replicas that have the same. */
async function everythingIn(log: EventLog): Promise<string[]> {
  const lines: string[] = []
  for await (const { data, metadata } of createEventStore(log).readAll()) {
    lines.push(`${metadata.streamName}@${metadata.streamVersion} ${data} ${metadata.hash}`)
  }
  for (const streamName of STREAMS) {
    lines.push(`${streamName}: ${await textsOf(log, streamName)}`)
    for (const { amendmentId, streamVersion, changes } of await createEventStore(log).amendments(streamName))
      lines.push(`${amendmentId} @${streamVersion} ${JSON.stringify(changes)}`)
  }
  return lines
}

/** Events that an append or a command was acknowledged with, in the order of their author. */
type Acknowledged = { eventId: string; device: number; streamName: string }

/** Takes what it meets, but for much of it. */
const merges = {
  unlessMuch: {
    merge: ({ remote, local }: Conflict) => (remote.length > 3 ? ('reject' as const) : local),
  },
}

const POLICIES = ['reappend', 'reject', { merge: 'unlessMuch' }] as const

async function appendAs(
  device: Device,
  streamName: string,
  texts: readonly string[],
  onConflict: OnConflict,
) {
  const events = texts.map(saying)
  await createEventStore(device.log).appendToStream(streamName, events, { onConflict })
  return events.map(({ id }) => id)
}

/** The id of the command's event; none where there is no room for so much. */
async function fill({ log }: Device, by: number): Promise<string[]> {
  const commandId = newEventId()
  const command = { type: 'Fill', data: { by } }
  const refusal = await log.execute({ decider: 'tank', id: '1', command, commandId }).then(
    () => null,
    error => error,
  )
  if (refusal !== null) expect(refusal).toMatchObject({ code: 'command-refused' })
  return refusal === null ? [commandId] : []
}

/** What a fold that has lived through it all shows is what counts now, and nothing that was rejected or decided anew. */
async function showsWhatCounts({ log }: Device, projector: Projector): Promise<boolean> {
  const head = log.head()
  const shown: unknown[] = []
  const counting: unknown[] = []
  for (const streamName of STREAMS) {
    shown.push((await projector.snapshot('words', streamName))?.state ?? [])
    counting.push((await read(log, streamName)).map(({ data }) => data))
  }
  // A page may have come between the reads.
  if (log.head() !== head) return false
  expect(shown).toEqual(counting)
  return true
}

/** Each of them is in the server's log, in the order of its author, or in a rejection that says why. */
async function nothingIsLost(
  acknowledged: readonly Acknowledged[],
  devices: readonly Device[],
  server: EventLog,
) {
  for (const [i, { log, rejected }] of devices.entries()) {
    const ids = acknowledged.filter(({ device }) => device === i).map(({ eventId }) => eventId)
    const progress = await log.progressOf(ids, null)
    const told = new Set(rejected.flatMap(({ events }) => events.map(({ eventId }) => eventId)))
    for (const { reason } of rejected) expect(reason.message).not.toBe('')
    expect(progress).toEqual(ids.map(id => (told.has(id) ? 'rejected' : 'confirmed')))
    for (const streamName of [...STREAMS, 'tank-1']) {
      const inOrder = (await read(server, streamName, 'recorded')).map(({ metadata }) => metadata.eventId)
      const own = acknowledged.filter(one => one.device === i && one.streamName === streamName)
      const kept = own.map(({ eventId }) => eventId).filter(id => inOrder.includes(id))
      expect(inOrder.filter(id => kept.includes(id))).toEqual(kept)
    }
  }
}

type Change = Readonly<{ kind: Amendment['kind']; at: number; after: number }>

/** Amendments of what counts on a device now; null where nothing does. */
async function changesOf(
  { log }: Device,
  streamName: string,
  changes: readonly Change[],
): Promise<Amendment[] | null> {
  const ids = (await read(log, streamName)).map(({ metadata }) => metadata.eventId)
  const amendments: Amendment[] = []
  for (const { kind, at, after } of changes) {
    const eventId = ids[at % Math.max(1, ids.length)]
    const behind = after % (ids.length + 1) === 0 ? null : ids[(after % (ids.length + 1)) - 1]!
    if (eventId === undefined) continue
    if (kind === 'insert') amendments.push({ kind, after: behind, event: saying(`n${after}`) })
    else if (kind === 'replace') amendments.push({ kind, eventId, event: saying(`r${at}`) })
    else if (kind === 'remove') amendments.push({ kind, eventId })
    else if (behind !== eventId) amendments.push({ kind, eventId, after: behind })
    // What is gone cannot be named again.
    if (kind === 'replace' || kind === 'remove') ids.splice(ids.indexOf(eventId), 1)
  }
  return amendments.length === 0 ? null : amendments
}

test('in any order of appends, commands, amendments, erasures, faults and devices, all come to the same and nothing is lost', async () => {
  const change = fc.record({
    kind: fc.constantFrom('insert', 'replace', 'remove', 'move'),
    at: fc.nat(20),
    after: fc.nat(20),
  })
  const step = fc.record({
    kind: fc.constantFrom(
      'append',
      'append',
      'command',
      'amend',
      'amend',
      'erase',
      'offline',
      'online',
      'fault',
      'wait',
    ),
    device: fc.nat(2),
    pick: fc.nat(50),
    changes: fc.array(change, { minLength: 1, maxLength: 3 }),
    policy: fc.nat(POLICIES.length - 1),
    fault: fc.constantFrom(FAULTS.lostRequest, FAULTS.lostAnswer, FAULTS.failing, FAULTS.portal),
  })
  const seen = { amended: 0, rejected: 0, commandsRejected: 0, appendsRejected: 0, looks: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async steps => {
      const world = new SyncWorld()
      world.app = { ...tankApp, merges }
      try {
        const databases = Array.from({ length: 3 }, () => createMemoryDatabase())
        const devices = [] as Device[]
        for (const database of databases) devices.push(await start(world, database))
        // They live through all of it, and have folded what is taken back later.
        const projectors = devices.map(({ log }) => projectorOn(log))
        const made: string[] = []
        const acknowledged: Acknowledged[] = []
        for (const streamName of STREAMS) await say(devices[0]!, streamName, 'A', 'B', 'C', 'D')
        await world.converge()
        for (const [n, { kind, device: i, pick, changes, policy, fault }] of steps.entries()) {
          const device = devices[i]!
          const streamName = STREAMS[pick % STREAMS.length]!
          const onConflict = POLICIES[policy]!
          const acknowledge = (name: string, ids: readonly string[]) => {
            for (const eventId of ids) acknowledged.push({ eventId, device: i, streamName: name })
          }
          if (kind === 'append')
            acknowledge(streamName, await appendAs(device, streamName, [`t${n}`, `u${n}`], onConflict))
          if (kind === 'command') acknowledge('tank-1', await fill(device, (pick % 3) + 5))
          if (kind === 'amend') {
            const amendments = await changesOf(device, streamName, changes)
            if (!amendments) continue
            const amendmentId = newEventId()
            // A page of the server may have come between.
            const amended = await createEventStore(device.log)
              .amendStream(streamName, amendments, {
                reason: `step ${n}`,
                amendmentId,
                onConflict: onConflict === 'reject' ? 'reject' : 'reappend',
              })
              .catch(error => error)
            if (amended instanceof Error) expect(amended).toMatchObject({ code: 'unknown-event' })
            else made.push(amendmentId)
          }
          if (kind === 'erase') {
            const events = await read(device.log, streamName)
            const id = events[pick % Math.max(1, events.length)]?.metadata.eventId
            if (id) await device.log.erasures.erase([id])
          }
          if (kind === 'offline' || kind === 'online') device.loop.setOnline(kind === 'online')
          if (kind === 'fault') device.faults.push(fault)
          if (kind === 'wait') {
            for (let turn = 0; turn < pick; turn++) await nextTurn()
            world.clock.advance(pick * 100)
            await hashesBy(projectors[i]!, DOCUMENTS)
            if (await showsWhatCounts(device, projectors[i]!)) seen.looks++
          }
        }
        for (const device of devices) {
          device.faults.length = 0
          device.loop.setOnline(true)
          device.loop.poke()
        }
        await world.settle()
        const server = await serverLog(world)
        const [first, ...others] = await Promise.all(devices.map(({ log }) => everythingIn(log)))
        for (const other of [...others, await everythingIn(server)]) expect(other).toEqual(first)
        const hashes = await stateHashes(server, DOCUMENTS)
        for (const projector of projectors) {
          expect(await hashesBy(projector, DOCUMENTS)).toEqual(hashes)
          await projector.close()
        }
        for (const { log } of [...devices, { log: server }]) {
          expect(await stateHashes(log, DOCUMENTS)).toEqual(hashes)
          expect(await log.verify()).toMatchObject({ ok: true })
        }
        await nothingIsLost(acknowledged, devices, server)
        await server.close()
        const counting = (
          await Promise.all(STREAMS.map(name => createEventStore(devices[0]!.log).amendments(name)))
        ).flat()
        const rejections = devices.flatMap(device => device.rejected)
        const rejected = rejections.flatMap(({ amendment }) => amendment ?? [])
        const settled = [...counting, ...rejected].map(({ amendmentId }) => amendmentId)
        expect(settled.toSorted()).toEqual(made.toSorted())
        for (const database of databases) {
          const again = await openLog({ storage: memoryStorage({ database }), storeId: STORE })
          expect(await everythingIn(again)).toEqual(first)
          await again.close()
        }
        seen.amended += counting.length
        seen.rejected += rejected.length
        seen.commandsRejected += rejections.filter(({ command }) => command).length
        seen.appendsRejected += rejections.filter(({ command, amendment }) => !command && !amendment).length
      } finally {
        await world.close()
      }
    }),
    { numRuns: 40 },
  )
  // Most of the histories are of what they are about.
  expect(seen.amended).toBeGreaterThan(40)
  expect(seen.rejected).toBeGreaterThan(10)
  expect(seen.commandsRejected).toBeGreaterThan(5)
  expect(seen.appendsRejected).toBeGreaterThan(5)
  expect(seen.looks).toBeGreaterThan(10)
})
