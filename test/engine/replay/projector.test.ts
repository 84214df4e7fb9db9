import { describe, expect, test } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import { openLog } from '../../../src/engine/open-log.ts'
import { createDeciderFolds } from '../../../src/engine/replay/decider-folds.ts'
import type { FoldLog } from '../../../src/engine/replay/fold.ts'
import { createProjector } from '../../../src/engine/replay/projector.ts'
import type { HandlerFailure } from '../../../src/engine/replay/report-once.ts'
import type { SnapshotDrop } from '../../../src/engine/replay/snapshot-store.ts'
import { StorageFailed } from '../../../src/log/errors.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { App } from '../../../src/model/app.ts'
import type { ReplayReport } from '../../../src/model/replay-report.ts'
import { createMemoryDatabase, memoryStorage } from '../../../src/storage/memory/index.ts'
import { say, watch, words } from './lists.ts'
import {
  append,
  count,
  foldLogOf,
  interruptOnce,
  openDevice,
  openServer,
  pull,
  push,
  sync,
} from './replicas.ts'

type Said = RecordedEvent & { data: unknown }

/** `words`: a document a stream. `board`: a document for each first letter, over all streams. */
function appOf({ every = 10, version = '1' } = {}) {
  const folded = { count: 0 }
  const evolve = (state: unknown[], event: Said) => {
    if (event.data === 'bad') throw new Error('cannot')
    folded.count++
    return [...state, event.data]
  }
  const base = { canHandle: ['Said'], initialState: () => [], evolve, snapshot: { every }, version }
  const letterOf = (event: Said) => (typeof event.data === 'string' ? event.data[0]! : null)
  const app = {
    projections: { words: base, board: { ...base, getDocumentId: letterOf } },
  } satisfies App
  return { app, folded }
}

function projectorOf(log: FoldLog, options: Parameters<typeof appOf>[0] = {}) {
  const { app, folded } = appOf(options)
  const failures: HandlerFailure[] = []
  const drops: SnapshotDrop[] = []
  const reports: ReplayReport[] = []
  const projector = createProjector({
    log,
    app,
    onReplayed: report => reports.push(report),
    // What is counted here is what is folded for those who ask.
    audit: false,
    onHandlerFailed: failure => failures.push(failure),
    onSnapshotDropped: drop => drops.push(drop),
  })
  return { projector, folded, failures, drops, reports }
}

describe.each([
  { projection: 'words', documentId: 'a' },
  { projection: 'board', documentId: 'x' },
])('a document of $projection', ({ projection, documentId }) => {
  test('is null before its first event, then what was folded, with its figures', async () => {
    const log = await openDevice()
    const { projector } = projectorOf(log)
    await say(log, 'b', 'other')
    expect(await projector.latest(projection, documentId)).toBe(null)
    await say(log, 'a', 'x1', 'x2')
    expect(await projector.latest(projection, documentId)).toEqual({
      state: ['x1', 'x2'],
      streamVersion: 2,
      globalPosition: 3,
      confirmedPosition: 0,
      pending: 2,
    })
  })

  test('folds new events only', async () => {
    const log = await openDevice()
    const { projector, folded } = projectorOf(log)
    await say(log, 'a', ...words('x', 20))
    await projector.latest(projection, documentId)
    await say(log, 'a', 'x21')
    await append(log, 'a', { type: 'Noise', data: 'x' })
    expect(await projector.latest(projection, documentId)).toMatchObject({ streamVersion: 21 })
    expect(folded.count).toBe(21)
  })

  test('goes from pending to confirmed, part by part', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    const { projector, folded } = projectorOf(device)
    for (const word of words('x', 6)) await say(device, 'a', word)
    expect(await projector.latest(projection, documentId)).toMatchObject({ pending: 6, confirmedPosition: 0 })
    await push(device, server)
    while (device.pendingCount() > 0) {
      await pull(device, server, 1)
      const { pending, confirmedPosition, state } = (await projector.latest(projection, documentId))!
      expect(pending).toBe(device.pendingCount())
      expect(confirmedPosition).toBe(device.cursor().serverPosition)
      expect(state).toEqual(words('x', 6))
    }
    expect(folded.count).toBeLessThanOrEqual(12)
  })

  test('folds nothing again when all that was pending is confirmed', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    const { projector, folded } = projectorOf(device)
    for (const word of words('x', 6)) await say(device, 'a', word)
    await projector.latest(projection, documentId)
    await sync(device, server)
    expect(await projector.latest(projection, documentId)).toMatchObject({ pending: 0, streamVersion: 6 })
    expect(folded.count).toBe(6)
  })

  test('is rebased: what the server had comes first', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    const { projector } = projectorOf(device)
    await say(device, 'a', 'x1')
    await sync(device, server)
    await say(device, 'a', 'x-mine')
    expect(await projector.latest(projection, documentId)).toMatchObject({ state: ['x1', 'x-mine'] })
    await say(server, 'a', 'x-theirs')
    await pull(device, server)
    expect(await projector.latest(projection, documentId)).toMatchObject({
      state: ['x1', 'x-theirs', 'x-mine'],
      streamVersion: 3,
      pending: 1,
      confirmedPosition: 2,
    })
  })

  test('is gone when the events that made it are rejected', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    const { projector } = projectorOf(device)
    await createEventStore(device).appendToStream('a', [{ type: 'Said', data: 'x1' }], {
      onConflict: 'reject',
    })
    expect(await projector.latest(projection, documentId)).not.toBe(null)
    const seen = watch(projector, projection, documentId)
    await append(server, 'a', { type: 'Noise', data: null })
    await pull(device, server)
    await seen.called()
    expect(await projector.latest(projection, documentId)).toBe(null)
  })

  test('starts from a snapshot when opened again, and folds the rest', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await say(log, 'a', ...words('x', 25))
    const first = projectorOf(log)
    const before = await first.projector.latest(projection, documentId)
    await first.projector.close()
    await say(log, 'a', 'x26', 'x27')
    const { projector, folded, drops } = projectorOf(await openDevice(database))
    expect(await projector.latest(projection, documentId)).toMatchObject({
      state: words('x', 27),
      streamVersion: 27,
      pending: 27,
    })
    expect(before).toMatchObject({ state: words('x', 25), pending: 25 })
    expect(folded.count).toBe(2)
    expect(drops).toEqual([])
  })

  test('is folded from the start by handlers of another version', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    await say(log, 'a', ...words('x', 25))
    const first = projectorOf(log)
    await first.projector.latest(projection, documentId)
    await first.projector.close()
    const { projector, folded, drops, reports } = projectorOf(log, { version: '2' })
    expect(await projector.latest(projection, documentId)).toMatchObject({ streamVersion: 25 })
    expect(folded.count).toBe(25)
    expect(drops).toEqual([])
    expect(reports).toMatchObject([{ reason: 'handler-changed', from: 0, replayed: 25, changedTypes: null }])
  })

  test('goes back to a stored snapshot below what a rebase took back', async () => {
    const database = createMemoryDatabase()
    const [device, server] = [await openDevice(database), await openServer()]
    await say(device, 'a', ...words('x', 12))
    await sync(device, server)
    const first = projectorOf(device)
    await first.projector.latest(projection, documentId)
    await say(device, 'a', ...words('x-mine', 15))
    await first.projector.latest(projection, documentId)
    await first.projector.close()
    const { projector, folded } = projectorOf(await openDevice(database))
    expect(await projector.latest(projection, documentId)).toMatchObject({ streamVersion: 27, pending: 15 })
    expect(folded.count).toBe(0)
    await say(server, 'a', 'x-theirs')
    const reopened = await openDevice(database)
    await pull(reopened, server)
    const again = projectorOf(reopened)
    expect(await again.projector.latest(projection, documentId)).toMatchObject({
      state: [...words('x', 12), 'x-theirs', ...words('x-mine', 15)],
      pending: 15,
    })
    expect(again.folded.count).toBe(16)
  })

  test('stops before an event whose handler fails, which is reported once, and keeps its last good state', async () => {
    const log = await openDevice()
    const { projector, failures } = projectorOf(log)
    const lastGood = { state: ['x1'], streamVersion: 1, globalPosition: 1, pending: 1 }
    await say(log, 'a', 'x1', 'bad', 'x3')
    expect(await projector.latest(projection, documentId)).toMatchObject(lastGood)
    await say(log, 'a', 'x4')
    expect(await projector.latest(projection, documentId)).toMatchObject(lastGood)
    expect(failures).toMatchObject([
      { projection, error: { code: 'handler-failed', facts: { streamName: 'a', globalPosition: 2 } } },
    ])
  })

  test('has the same stateHash on two replicas that are in step, and another one after the next event', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await say(device, 'a', 'x1', 'x2')
    await sync(device, server)
    const [here, there] = [projectorOf(device).projector, projectorOf(server).projector]
    const snapshot = (await here.snapshot(projection, documentId))!
    expect(snapshot).toMatchObject({
      handlerVersion: expect.stringMatching(/^[0-9a-f]{16}$/),
      pending: 0,
      state: ['x1', 'x2'],
    })
    expect(snapshot.stateHash).toMatch(/^[0-9a-f]{64}$/)
    expect((await there.snapshot(projection, documentId))!.stateHash).toBe(snapshot.stateHash)
    await say(device, 'a', 'x3')
    expect((await here.snapshot(projection, documentId))!.stateHash).not.toBe(snapshot.stateHash)
    expect(await here.snapshot(projection, 'none')).toBe(null)
  })

  test('tells who watches it when it changed, and not when others did', async () => {
    const log = await openDevice()
    const { projector } = projectorOf(log)
    const seen = watch(projector, projection, documentId)
    await say(log, 'a', 'x1')
    await seen.called()
    await projector.latest(projection, documentId)
    seen.calls()
    await say(log, 'b', 'y1')
    await projector.latest(projection, documentId)
    expect(seen.calls()).toBe(0)
    await say(log, 'a', 'x2')
    await seen.called()
    seen.stop()
    seen.calls()
    await say(log, 'a', 'x3')
    await projector.latest(projection, documentId)
    expect(seen.calls()).toBe(0)
  })

  test('tells who watches it when its events are confirmed, and not when others are', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    const { projector } = projectorOf(device)
    const seen = watch(projector, projection, documentId)
    await say(device, 'a', 'x1')
    await projector.latest(projection, documentId)
    seen.calls()
    await sync(device, server)
    await seen.called()
    expect(await projector.latest(projection, documentId)).toMatchObject({ pending: 0 })
    seen.calls()
    await say(device, 'b', 'y1')
    await sync(device, server)
    await projector.latest(projection, documentId)
    expect(seen.calls()).toBe(0)
  })

  test('tells a function that watches twice until both have ended', async () => {
    const log = await openDevice()
    const { projector } = projectorOf(log)
    let calls = 0
    const lives = [new AbortController(), new AbortController()]
    const onDirty = () => calls++
    for (const { signal } of lives) projector.watch(projection, documentId, onDirty, signal)
    lives[0]!.abort()
    await say(log, 'a', 'x1')
    await projector.latest(projection, documentId)
    expect(calls).toBe(1)
    lives[1]!.abort()
    await say(log, 'a', 'x2')
    await projector.latest(projection, documentId)
    expect(calls).toBe(1)
  })

  test('is not watched by a signal that has ended', async () => {
    const log = await openDevice()
    const { projector } = projectorOf(log)
    let calls = 0
    projector.watch(projection, documentId, () => calls++, AbortSignal.abort())
    await say(log, 'a', 'x1')
    await projector.latest(projection, documentId)
    expect(calls).toBe(0)
  })

  test('tells nobody any more once closed', async () => {
    const log = await openDevice()
    const { projector } = projectorOf(log)
    const seen = watch(projector, projection, documentId)
    await projector.latest(projection, documentId)
    await projector.close()
    await say(log, 'a', 'x1')
    expect(seen.calls()).toBe(0)
  })
})

describe('a projection over all streams', () => {
  test('stops as a whole at an event that it cannot fold, and goes on when that event is gone', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    const { projector, failures } = projectorOf(device)
    await say(device, 'a', 'x1', 'bad', 'y1')
    expect(await projector.latest('board', 'x')).toMatchObject({ state: ['x1'] })
    expect(await projector.latest('board', 'y')).toBe(null)
    expect(failures).toHaveLength(1)
    await say(server, 'a', 'y-theirs')
    await pull(device, server)
    expect(await projector.latest('board', 'y')).toMatchObject({ state: ['y-theirs'] })
    expect(failures).toHaveLength(1)
  })

  test('takes a getDocumentId that fails as a handler that fails', async () => {
    const log = await openDevice()
    const failures: HandlerFailure[] = []
    const board = { ...appOf().app.projections.board, getDocumentId: () => undefined as unknown as string }
    const projector = createProjector({
      log,
      app: { projections: { board } },
      onHandlerFailed: failure => failures.push(failure),
    })
    await say(log, 'a', 'x1')
    expect(await projector.latest('board', 'x')).toBe(null)
    expect(failures).toMatchObject([{ error: { code: 'handler-failed' } }])
  })

  test('takes back what was folded when a rebase comes in the middle', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await say(device, 'a', ...words('x', 600))
    await say(server, 'a', 'x-theirs')
    const readAll = interruptOnce(
      (...args: Parameters<EventLog['readAll']>) => device.readAll(...args),
      () => pull(device, server),
    )
    const { projector, folded } = projectorOf(foldLogOf(device, { readAll }))
    expect(await projector.latest('board', 'x')).toMatchObject({
      state: ['x-theirs', ...words('x', 600)],
      pending: 600,
    })
    expect(folded.count).toBeGreaterThan(601)
  })

  test('shows its handlers no mixture of what was before a rebase and what is behind it', async () => {
    const [device, server] = [await openDevice(), await openServer()]
    await say(device, 'a', ...words('x', 600))
    await say(server, 'a', 'x-theirs')
    const readAll = interruptOnce(
      (...args: Parameters<EventLog['readAll']>) => device.readAll(...args),
      () => pull(device, server),
    )
    const board = {
      ...appOf().app.projections.board,
      evolve: (state: unknown[], event: Said) => {
        if (event.data === 'x-theirs' && state.length > 0) throw new Error('not the first one')
        return [...state, event.data]
      },
    }
    const projector = createProjector({
      log: foldLogOf(device, { readAll }),
      app: { projections: { board } },
      // It reads, too, and the interruption is meant for the fold.
      audit: false,
    })
    expect(await projector.latest('board', 'x')).toMatchObject({ streamVersion: 601 })
  })

  test('waits with a snapshot of all until as many events came as there are documents', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const letters = Array.from({ length: 30 }, (_, i) => String.fromCodePoint(0x4e00 + i))
    const first = projectorOf(log)
    await say(log, 'a', ...letters)
    await first.projector.latest('board', 'x')
    await say(log, 'a', ...letters.slice(0, 9))
    await first.projector.latest('board', 'x')
    await first.projector.close()
    const { projector, folded } = projectorOf(await openDevice(database))
    expect(await projector.latest('board', letters[0]!)).toMatchObject({ streamVersion: 2 })
    expect(folded.count).toBe(29)
  })

  test('keeps documents whose ids mean something to JavaScript', async () => {
    const database = createMemoryDatabase()
    const log = await openDevice(database)
    const ids = ['__proto__', 'constructor', '2', '1']
    const projectorWithIds = () => {
      const { app } = appOf({ every: 1 })
      const board = { ...app.projections.board, getDocumentId: (event: Said) => event.data as string }
      return createProjector({ log, app: { projections: { board } } })
    }
    await say(log, 'a', ...ids)
    const first = projectorWithIds()
    await first.latest('board', '1')
    await first.close()
    const second = projectorWithIds()
    for (const id of ids) expect(await second.latest('board', id)).toMatchObject({ state: [id] })
  })

  test('tells its watchers when it cannot be folded, and gives them the reason', async () => {
    const log = await openDevice()
    let isBroken = false
    const { projector } = projectorOf(
      foldLogOf(log, {
        readAll: options => {
          if (isBroken) throw new StorageFailed('failed', 'no')
          return log.readAll(options)
        },
      }),
    )
    await projector.latest('board', 'x')
    const seen = watch(projector, 'board', 'x')
    isBroken = true
    await say(log, 'a', 'x1')
    await seen.called()
    await expect(projector.latest('board', 'x')).rejects.toMatchObject({ code: 'storage-failed' })
    isBroken = false
    expect(await projector.latest('board', 'x')).toMatchObject({ state: ['x1'] })
  })
})

test('a projection that the app does not have is refused by its name', async () => {
  const { projector } = projectorOf(await openDevice())
  const refusal = { code: 'unknown-projection', facts: { projection: 'nope' } }
  await expect(projector.latest('nope', 'a')).rejects.toMatchObject(refusal)
  await expect(projector.snapshot('nope', 'a')).rejects.toMatchObject(refusal)
  expect(() => projector.watch('nope', 'a', () => {}, new AbortController().signal)).toThrow(
    expect.objectContaining(refusal),
  )
  await expect(projector.latest('toString', 'a')).rejects.toMatchObject({ code: 'unknown-projection' })
})

test('a state that JSON cannot carry is served, and refused where it has to be hashed', async () => {
  const log = await openDevice()
  const when = { canHandle: ['Said'], initialState: () => null, evolve: () => ({ when: new Map() }) }
  const projector = createProjector({ log, app: { projections: { when } } })
  await say(log, 'a', 'x')
  expect(await projector.latest('when', 'a')).toMatchObject({ state: { when: new Map() } })
  await expect(projector.snapshot('when', 'a')).rejects.toMatchObject({
    code: 'invalid-event',
    facts: { path: 'state.when' },
  })
})

test('a long fold lets other tasks have their turn', async () => {
  const log = await openDevice()
  await count(log, 'a', 1, 2_000)
  const slow = {
    canHandle: ['Said'],
    initialState: () => 0,
    evolve: (state: number) => {
      const until = performance.now() + 0.05
      while (performance.now() < until);
      return state + 1
    },
  }
  const projector = createProjector({ log, app: { projections: { slow } } })
  const order: string[] = []
  const folded = projector.latest('slow', 'a').then(() => order.push('folded'))
  setTimeout(() => order.push('timer'), 0)
  await folded
  expect(order).toEqual(['timer', 'folded'])
})

test('commands are decided on a state that starts from a snapshot', async () => {
  const database = createMemoryDatabase()
  let folded = 0
  const counter = {
    streamName: (id: string) => `counter-${id}`,
    initialState: () => 0,
    evolve: (state: number) => {
      folded++
      return state + 1
    },
    decide: () => ({ type: 'Counted', data: null }),
    snapshot: { every: 10 },
  }
  const log = await openDevice(database)
  await count(log, 'counter-1', 1, 24)
  const folds = createDeciderFolds({ log, deciders: { counter } })
  expect(await folds.stateAt('counter', 'counter-1', 24)).toBe(24)
  await folds.close()
  folded = 0
  const storage = memoryStorage({ database })
  const reopened = await openLog({ storage, storeId: 'shared', app: { deciders: { counter } } })
  const commandId = '018f0000-0000-7000-8000-000000000001'
  expect(await reopened.execute({ decider: 'counter', id: '1', command: {}, commandId })).toMatchObject({
    state: 25,
  })
  expect(folded).toBe(1)
})
