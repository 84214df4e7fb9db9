// A device is saved as a file in the middle of whatever it does, and the file opened as another device: both have the
// same then, both go on, and with the server all come to the same.

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { importLog } from '../../src/engine/backup/import-log.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import type { Amendment } from '../../src/model/amendment.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { exported } from '../support/exported-log.ts'
import { DOCUMENTS, read, say, saying, serverLog, start, stateHashes } from './amended-devices.ts'
import { type Device, FAULTS, nextTurn, STORE, SyncWorld } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

const hash = await createSha256()

/** Every event that counts, with its id, its status and its place. */
async function everythingIn(log: EventLog): Promise<string[]> {
  const lines: string[] = []
  for await (const { data, metadata } of createEventStore(log).readAll()) {
    const { eventId, status, streamName, streamVersion, globalPosition, hash } = metadata
    lines.push(
      `${globalPosition} ${streamName}@${streamVersion} ${eventId} ${status} ${JSON.stringify(data)} ${hash}`,
    )
  }
  return lines
}

/** The same without what is a device's own: the positions of its log. */
const sharedIn = async (log: EventLog): Promise<string[]> =>
  (await everythingIn(log)).map(line => line.replace(/^\d+ /, ''))

async function imported(world: SyncWorld, file: Blob): Promise<Device> {
  const database = createMemoryDatabase()
  await importLog({
    storage: memoryStorage({ database }),
    storeId: STORE,
    hash,
    file,
    replace: false,
    onProgress: () => {},
    signal: new AbortController().signal,
  })
  return world.openDevice(database)
}

async function amendAny({ log }: Device, pick: number, n: number): Promise<void> {
  const events = await read(log)
  const eventId = events[pick % Math.max(1, events.length)]?.metadata.eventId
  if (!eventId) return
  const amendment: Amendment =
    pick % 3 === 0
      ? { kind: 'remove', eventId }
      : pick % 3 === 1
        ? { kind: 'replace', eventId, event: saying(`r${n}`) }
        : { kind: 'insert', after: eventId, event: saying(`n${n}`) }
  // A page of the server may have come between.
  await createEventStore(log)
    .amendStream('a', [amendment], { reason: `step ${n}`, onConflict: n % 2 ? 'reject' : 'reappend' })
    .catch(error => expect(error).toMatchObject({ code: 'unknown-event' }))
}

test('in any order of what devices do, a file of one opens as what it was, and all come to the same', async () => {
  const step = fc.record({
    kind: fc.constantFrom(
      'append',
      'append',
      'reject',
      'fill',
      'amend',
      'erase',
      'offline',
      'online',
      'fault',
      'wait',
    ),
    device: fc.nat(2),
    pick: fc.nat(50),
    fault: fc.constantFrom(FAULTS.lostRequest, FAULTS.lostAnswer, FAULTS.failing),
  })
  const seen = { pending: 0, erased: 0 }
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { minLength: 6, maxLength: 24 }),
      fc.array(step, { maxLength: 8 }),
      async (before, behind) => {
        const world = new SyncWorld()
        try {
          const database = createMemoryDatabase()
          const devices = [await start(world, database), await start(world)]
          await say(devices[0]!, 'a', 'A', 'B')
          const carryOut = async (steps: typeof before): Promise<void> => {
            for (const [n, { kind, device: i, pick, fault }] of steps.entries()) {
              const device = devices[i % devices.length]!
              const streamName = pick % 2 ? 'a' : 'b'
              if (kind === 'append') await say(device, streamName, `t${n}`, `u${n}`)
              if (kind === 'reject') await device.append(streamName, [`r${n}`], 'reject')
              if (kind === 'fill') await device.fill(1 + (pick % 4)).catch(() => {})
              if (kind === 'amend') await amendAny(device, pick, n)
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
              }
            }
          }
          await carryOut(before)
          const original = devices[0]!
          // So that the file and what it is compared with are of one moment.
          await original.loop.stop()
          const file = new Blob([await exported(original.log)])
          const copy = await imported(world, file)
          expect(await everythingIn(copy.log)).toEqual(await everythingIn(original.log))
          expect(copy.log.pendingCount()).toBe(original.log.pendingCount())
          expect(copy.log.cursor()).toEqual(original.log.cursor())
          expect(copy.log.erasures.list()).toEqual(original.log.erasures.list())
          expect(await stateHashes(copy.log, DOCUMENTS)).toEqual(await stateHashes(original.log, DOCUMENTS))
          expect(await copy.log.verify()).toMatchObject({ ok: true })
          seen.pending += copy.log.pendingCount()
          seen.erased += copy.log.erasures.count
          copy.loop.start()
          await original.log.close()
          world.devices.splice(world.devices.indexOf(original), 1)
          // The device that was saved goes on as if nobody had, and so does the copy.
          devices[0] = await start(world, database)
          devices.push(copy)
          await carryOut(behind)
          for (const device of devices) {
            device.faults.length = 0
            device.loop.setOnline(true)
            device.loop.poke()
          }
          await world.settle()
          const server = await serverLog(world)
          const expected = await sharedIn(server)
          const ids = expected.map(line => line.split(' ')[1])
          expect(new Set(ids).size).toBe(ids.length)
          for (const { log } of world.devices) {
            expect(await sharedIn(log)).toEqual(expected)
            expect(await stateHashes(log, DOCUMENTS)).toEqual(await stateHashes(server, DOCUMENTS))
            expect(await log.verify()).toMatchObject({ ok: true })
          }
          await server.close()
        } finally {
          await world.close()
        }
      },
    ),
    { numRuns: 25 },
  )
  expect(seen.pending).toBeGreaterThan(10)
  expect(seen.erased).toBeGreaterThan(3)
})
