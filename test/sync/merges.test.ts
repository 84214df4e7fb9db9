import { beforeEach, describe, expect, test } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { derivedEventId } from '../../src/log/event-id.ts'
import type { App } from '../../src/model/app.ts'
import type { Conflict, MergeDefinition } from '../../src/model/merge.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { createWorld, read, say, saying, start, textsOf } from './amended-devices.ts'
import { type Device, FAULTS, STORE, type SyncWorld } from './sync-world.ts'

type Said = RecordedEvent & { data: string }

/** What a test has the merge do. */
let merge: MergeDefinition<string, Said>['merge']
let conflicts: Conflict<string, Said>[]

const app = {
  deciders: {
    text: {
      streamName: (id: string) => id,
      initialState: () => '',
      evolve: { Said: (text: string, { data }: Said) => text + data },
      decide: () => [],
    },
  },
  merges: {
    lines: {
      decider: 'text',
      merge(conflict: Conflict<string, Said>) {
        conflicts.push(conflict)
        return merge(conflict)
      },
    },
  },
} satisfies App

let world: SyncWorld
let one: Device
let other: Device

beforeEach(async () => {
  conflicts = []
  merge = ({ local }) => local
  world = createWorld()
  world.app = app
  one = await start(world)
  other = await start(world)
  await say(one, 'a', 'A', 'B')
  await world.converge()
})

/** Appended by `one` while it is away, and others append behind it meanwhile. */
async function diverge(...local: string[]): Promise<string[]> {
  one.loop.setOnline(false)
  const events = local.map(saying)
  await mergedAppend(one.log, 'a', events)
  await say(other, 'a', 'x', 'y')
  await world.run(() => other.loop.status().pending === 0)
  return events.map(({ id }) => id)
}

const mergedAppend = (log: EventLog, streamName: string, events: readonly ReturnType<typeof saying>[]) =>
  createEventStore(log).appendToStream(streamName, events, { onConflict: { merge: 'lines' } })

async function meet(): Promise<void> {
  one.loop.setOnline(true)
  const { loop } = one
  await world.run(() => loop.status().phase === 'stopped' || loop.status().pending === 0)
  expect(loop.status().error).toBeNull()
  await world.converge()
}

const idsOf = async (log: EventLog) => (await read(log)).map(({ metadata }) => metadata.eventId)
const data = (events: readonly Said[]) => events.map(event => event.data).join('')

describe('a merge', () => {
  test('is told what each side has, and the states before and between', async () => {
    await diverge('c', 'd')
    await meet()
    const [{ streamName, baseVersion, baseState, remote, state, local }] = conflicts as [
      Conflict<string, Said>,
    ]
    expect({ streamName, baseVersion, baseState, state }).toEqual({
      streamName: 'a',
      baseVersion: 2,
      baseState: 'AB',
      state: 'ABxy',
    })
    expect([data(remote), data(local)]).toEqual(['xy', 'cd'])
    expect(remote.map(({ metadata }) => metadata.status)).toEqual(['confirmed', 'confirmed'])
    expect(local.map(({ metadata }) => metadata.status)).toEqual(['pending', 'pending'])
    expect(conflicts).toHaveLength(1)
  })

  test('is not asked where nothing came between', async () => {
    one.loop.setOnline(false)
    await mergedAppend(one.log, 'a', [saying('c')])
    await say(other, 'b', 'x')
    await world.run(() => other.loop.status().pending === 0)
    await meet()
    expect(conflicts).toEqual([])
    expect(await textsOf(other.log)).toBe('A B c')
  })

  test('keeps, changes, leaves out and adds events: what is kept keeps its id', async () => {
    const [c, d] = await diverge('c', 'd', 'e')
    merge = ({ local }) => [{ ...local[1]!, data: 'D' }, local[0]!, { type: 'Said', data: 'new' } as never]
    await meet()
    expect(await textsOf(one.log)).toBe('A B x y D c new')
    expect((await idsOf(one.log)).slice(4, 6)).toEqual([d, c])
    expect(await idsOf(other.log)).toEqual(await idsOf(one.log))
    expect(one.rejected).toEqual([])
    expect(await one.log.verify()).toMatchObject({ ok: true })
  })

  test('may give nothing: then nothing of the commit is left, and nothing is rejected', async () => {
    await diverge('c')
    merge = () => []
    await meet()
    expect(await textsOf(one.log)).toBe('A B x y')
    expect(one.rejected).toEqual([])
  })

  test('made again after a failed write gives the same ids', async () => {
    const [c] = await diverge('c')
    merge = () => [{ type: 'Said', data: 'new' } as never]
    one.disk.writesToFail = 1
    await meet()
    expect(conflicts.length).toBeGreaterThan(1)
    const merged = await idsOf(one.log)
    expect(merged.slice(4)).toEqual([derivedEventId(c!, 1)])
    expect(await idsOf(other.log)).toEqual(merged)
  })

  test('is asked again when more events come between, with the events that it gave', async () => {
    await diverge('c')
    merge = ({ local }) => [local[0]!, { type: 'Said', data: `n${local.length}` } as never]
    // The page comes, and the push behind it is lost.
    one.faults.push(deliver => deliver(), FAULTS.lostRequest)
    one.loop.setOnline(true)
    await one.until(({ phase }) => phase === 'waiting')
    one.loop.setOnline(false)
    await say(other, 'a', 'z')
    await world.run(() => other.loop.status().pending === 0)
    one.loop.setOnline(true)
    await world.converge()
    expect(conflicts.map(({ local }) => data(local))).toEqual(['c', 'cn1'])
    expect(conflicts[1]).toMatchObject({ baseVersion: 4, baseState: 'ABxy', state: 'ABxyz' })
    expect(await textsOf(one.log)).toBe('A B x y z c n2')
    expect(new Set(await idsOf(one.log)).size).toBe(7)
  })

  test('of a commit of two streams is asked for the one that has other events; the commit stays one', async () => {
    one.loop.setOnline(false)
    const appends = ['b', 'a', 'b'].map((streamName, i) => ({
      streamName,
      events: [saying(`${streamName}${i}`)],
    }))
    await createEventStore(one.log).appendToStreams(appends, { onConflict: { merge: 'lines' } })
    await say(other, 'a', 'x')
    await world.run(() => other.loop.status().pending === 0)
    merge = () => [{ type: 'Said', data: 'merged' } as never]
    await meet()
    expect(conflicts.map(({ streamName }) => streamName)).toEqual(['a'])
    expect([await textsOf(other.log, 'a'), await textsOf(other.log, 'b')]).toEqual(['A B x merged', 'b0 b2'])
  })

  test('sees what this device has pending before the commit in the state alone', async () => {
    one.loop.setOnline(false)
    await say(one, 'a', 'p')
    await mergedAppend(one.log, 'a', [saying('c')])
    await say(other, 'a', 'x')
    await world.run(() => other.loop.status().pending === 0)
    await meet()
    expect(conflicts).toMatchObject([{ baseState: 'AB', state: 'ABxp' }])
    expect(data(conflicts[0]!.remote)).toBe('x')
    expect(await textsOf(one.log)).toBe('A B x p c')
  })

  test('takes up what was erased as it is, unseen', async () => {
    const [c] = await diverge('c', 'd')
    await one.log.erasures.erase([c!])
    merge = () => []
    await meet()
    expect(data(conflicts[0]!.local)).toBe('d')
    expect(one.log.streamVersion('a')).toBe(5)
    expect(await textsOf(one.log)).toBe('A B x y')
  })
})

describe('a merge that refuses', () => {
  const refusals: [string, () => unknown, object][] = [
    [
      'by its word',
      () => 'reject',
      { code: 'version-conflict', message: 'Stream "a" has got other events first' },
    ],
    [
      'with a reason',
      () => {
        throw new Error('the order was paid')
      },
      { code: 'merge-refused', message: 'the order was paid' },
    ],
    ['by a defect', () => undefined, { code: 'merge-refused' }],
    [
      'by giving an event twice',
      () => [conflicts[0]!.local[0], { ...conflicts[0]!.local[0]! }],
      { code: 'merge-refused' },
    ],
    [
      'by giving what no log can carry',
      () => [{ type: 'Said', data: Number.NaN }],
      { code: 'invalid-event' },
    ],
  ]
  test.each(refusals)(
    '%s has the commit rejected with its events and the reason',
    async (_, refuse, reason) => {
      const ids = await diverge('c', 'd')
      merge = refuse as never
      await meet()
      expect(one.rejected).toMatchObject([{ command: null, reason }])
      expect(one.rejected[0]!.events.map(({ eventId }) => eventId)).toEqual(ids)
      expect(await one.log.rejections()).toEqual(one.rejected)
      expect(await textsOf(one.log)).toBe('A B x y')
      await say(one, 'a', 'goes on')
      await world.converge()
      expect(await textsOf(other.log)).toBe('A B x y goes on')
    },
  )
})

test('a merge that this release of the app has not stops sync, and nothing is lost until one has it', async () => {
  const database = createMemoryDatabase()
  await one.loop.stop()
  one = await start(world, database)
  await world.run(() => one.loop.status().phase === 'idle')
  await diverge('c')
  await one.loop.stop()
  world.app = {}
  const older = await start(world, database)
  const stopped = await older.until(({ phase }) => phase === 'stopped')
  expect(stopped).toMatchObject({
    pending: 1,
    rejected: 0,
    error: {
      code: 'unknown-merge',
      facts: { merge: 'lines' },
      recovery: expect.stringContaining('update the app'),
    },
  })
  expect(await textsOf(older.log)).toBe('A B c')
  await older.loop.stop()
  world.app = app
  one = await start(world, database)
  await world.run(() => one.loop.status().phase === 'idle' && one.loop.status().pending === 0)
  expect(await textsOf(one.log)).toBe('A B x y c')
})

describe('refused when it is asked for', () => {
  test.each([
    ['a merge that the app has not', { merge: 'others' }, 'unknown-merge'],
    ['what is no policy', 'sometimes', 'invalid-argument'],
    ['what names no merge', { merge: 7 }, 'invalid-argument'],
  ])('%s', async (_, onConflict, code) => {
    const append = createEventStore(one.log).appendToStream('a', [saying('c')], {
      onConflict: onConflict as never,
    })
    await expect(append).rejects.toMatchObject({ code })
    expect(await textsOf(one.log)).toBe('A B')
  })

  test('an amendment with a merge', async () => {
    const amended = createEventStore(one.log).amendStream(
      'a',
      [{ kind: 'insert', after: null, event: saying('c') }],
      {
        reason: 'r',
        onConflict: { merge: 'lines' } as never,
      },
    )
    await expect(amended).rejects.toMatchObject({ code: 'invalid-argument' })
  })

  test('an app with a merge for a decider that it has not', async () => {
    const opened = openLog({
      storage: memoryStorage(),
      storeId: STORE,
      app: { merges: { lines: { decider: 'none', merge: () => [] } } },
    })
    await expect(opened).rejects.toMatchObject({ code: 'invalid-argument' })
  })
})
