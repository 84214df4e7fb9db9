// An amendment in the log: what is stored, and what another replica may bring.

import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { amendmentBytes, type OrderChange } from '../../../src/log/amendment.ts'
import { decodeBlock } from '../../../src/log/block.ts'
import { utf8 } from '../../../src/log/bytes.ts'
import { type Entry, KIND_AMENDMENT, KIND_EVENT } from '../../../src/log/entry.ts'
import { bytesOfEventId, newEventId } from '../../../src/log/event-id.ts'
import { HashChain } from '../../../src/log/hash-chain.ts'
import type { Amendment } from '../../../src/model/amendment.ts'
import { createMemoryDatabase, memoryStorage } from '../../../src/storage/memory/index.ts'
import { eventsIn, idsIn } from '../replay/histories.ts'
import { append, count, openDevice, openServer, pull, push, sync } from '../replay/replicas.ts'

const amend = (log: EventLog, ...amendments: Amendment[]) =>
  createEventStore(log).amendStream('a', amendments, { reason: 'for a test' })
const said = (data: unknown) => ({ type: 'Said', data })
const dataIn = async (log: EventLog) => (await eventsIn(log, 'a')).map(({ data }) => data)

test('what was stored stays byte for byte, and one commit is behind it: the new events, then what says where they stand', async () => {
  const database = createMemoryDatabase()
  const log = await openDevice(database)
  const stored = async () => {
    const storage = memoryStorage({ database })
    await storage.open()
    return storage.read({ from: 1 })
  }
  await count(log, 'a', 1, 4)
  const before = await stored()
  const [one, two] = await idsIn(log, 'a')
  await amend(
    log,
    { kind: 'remove', eventId: one! },
    { kind: 'insert', after: two!, event: said('new') },
    { kind: 'replace', eventId: two!, event: said('other') },
  )
  const after = await stored()
  expect(after.slice(0, before.length)).toEqual(before)
  const [added, ...more] = after.slice(before.length)
  expect(more).toEqual([])
  const block = decodeBlock(added!.bytes, added!.firstPosition)
  expect([...block.kinds]).toEqual([KIND_EVENT, KIND_EVENT, KIND_AMENDMENT])
  expect(block.commits).toEqual([{ lastIndex: 2, note: { onConflict: 'reappend' } }])
  const changes: OrderChange[] = [
    { kind: 'remove', version: 1 },
    { kind: 'insert', version: 5, after: 2 },
    { kind: 'replace', version: 2, by: 6 },
  ]
  expect(block.entry(2).payload).toEqual(amendmentBytes({ reason: 'for a test', changes }))
})

describe('a replica takes the amendment of another', () => {
  test('as it is, and comes to the same order', async () => {
    const [log, server, other] = [await openDevice(), await openServer(), await openDevice()]
    await count(log, 'a', 1, 3)
    const [one, , three] = await idsIn(log, 'a')
    await amend(log, { kind: 'move', eventId: three!, after: one! }, { kind: 'remove', eventId: one! })
    await sync(log, server)
    await pull(other, server)
    for (const replica of [log, server, other]) {
      expect(await dataIn(replica)).toEqual([3, 2])
      expect(await replica.amendments('a')).toMatchObject([{ reason: 'for a test', status: 'confirmed' }])
    }
  })

  test('behind its own, where all that it names still counts', async () => {
    const [log, server] = [await openDevice(), await openServer()]
    await count(log, 'a', 1, 3)
    await sync(log, server)
    const [one, two, three] = await idsIn(log, 'a')
    await append(log, 'a', said('pending'))
    const pending = (await idsIn(log, 'a')).at(-1)!
    await amend(
      log,
      { kind: 'move', eventId: pending, after: one! },
      { kind: 'insert', after: pending, event: said('new') },
      { kind: 'move', eventId: two!, after: null },
    )
    await append(server, 'a', said('first'))
    await amend(server, { kind: 'remove', eventId: three! })
    await pull(log, server)
    expect(await dataIn(log)).toEqual([2, 1, 'pending', 'new', 'first'])
    expect(await log.amendments('a')).toMatchObject([{ status: 'confirmed' }, { status: 'pending' }])
    await push(log, server)
    expect(await dataIn(server)).toEqual([2, 1, 'pending', 'new', 'first'])
  })
})

describe('a replica refuses an amendment', () => {
  /** A server with three events, and one amendment of them that a device has not sent yet. */
  async function openPending(...amendments: Amendment[]) {
    const [log, server] = [await openDevice(), await openServer()]
    await count(log, 'a', 1, 3)
    await sync(log, server)
    const [one] = await idsIn(log, 'a')
    await amend(log, { kind: 'remove', eventId: one! }, ...amendments)
    const [commit] = await log.pendingCommits(Infinity)
    const hashed = (entry: Entry): Entry => ({ ...entry, hash: new HashChain(log.hash).hashOf(entry) })
    const refusalOf = async (...commits: Entry[][]) => (await server.admit(commits)).refusal
    return { server, entries: [...commit!.entries], hashed, refusalOf }
  }
  const INVALID = { reason: 'invalid', detail: expect.stringContaining('is no amendment of its stream') }

  test('that says nothing that can be read', async () => {
    const { entries, hashed, refusalOf } = await openPending()
    const [amendment] = entries
    for (const payload of ['{}', '"', '{"reason":"","changes":[{"kind":"remove","version":4}]}']) {
      expect(await refusalOf([hashed({ ...amendment!, payload: utf8(payload) })])).toMatchObject(INVALID)
    }
    expect(await refusalOf([hashed({ ...amendment!, type: 'Said' })])).toMatchObject(INVALID)
    expect(await refusalOf([amendment!])).toBeNull()
  })

  test('whose new events do not come with it, in its stream', async () => {
    const insert: Amendment = { kind: 'insert', after: null, event: said('new') }
    const whole = await openPending(insert)
    expect(await whole.refusalOf(whole.entries)).toBeNull()

    const apart = await openPending(insert)
    const [event, amendment] = apart.entries
    expect(await apart.refusalOf([event!], [amendment!])).toMatchObject(INVALID)

    const elsewhere = await openPending(insert)
    const previous = new HashChain(elsewhere.server.hash).genesis('shared', 'b')
    const ofAnother = elsewhere.hashed({ ...event!, streamName: 'b', streamVersion: 1, previous })
    const changes: OrderChange[] = [{ kind: 'insert', version: 3, after: 0 }]
    const first = elsewhere.entries[0]!
    const behind = elsewhere.hashed({
      ...amendment!,
      streamVersion: first.streamVersion,
      previous: first.previous,
      payload: amendmentBytes({ reason: '', changes }),
    })
    expect(await elsewhere.refusalOf([ofAnother, behind])).toMatchObject(INVALID)
  })

  test('that puts in another amendment', async () => {
    const { entries, hashed, refusalOf } = await openPending()
    const [first] = entries
    const changes: OrderChange[] = [{ kind: 'insert', version: 4, after: 0 }]
    const second = hashed({
      ...first!,
      eventId: bytesOfEventId(newEventId()),
      streamVersion: 5,
      previous: first!.hash,
      payload: amendmentBytes({ reason: '', changes }),
    })
    expect(await refusalOf([first!, second])).toMatchObject(INVALID)
  })
})
