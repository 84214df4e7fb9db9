import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import type { View } from '../../src/client/views.ts'
import { isStoreError, StoreError } from '../../src/log/errors.ts'
import type { App, ProjectionDefinition } from '../../src/model/app.ts'
import type { Snapshot } from '../../src/model/snapshot.ts'
import { wireErrorOf } from '../../src/protocol/wire-error.ts'
import type { ViewUpdate, WorkerApi } from '../../src/protocol/worker-api.ts'
import { type FakeWorker, fakeWorker, ok } from './fake-worker.ts'

type Text = { text: string }
type TextApp = App & { projections: { text: ProjectionDefinition<Text, { type: 'Typed'; data: string }> } }

let frames: (() => void)[] = []
const opened: StoreClient<TextApp>[] = []

beforeEach(() => {
  frames = []
  vi.stubGlobal('requestAnimationFrame', (frame: () => void) => frames.push(frame))
})

afterEach(async () => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

/** A worker that keeps the ids of the views it is asked to watch. */
function watchingWorker(
  answers: Partial<WorkerApi> = {},
): FakeWorker & { viewIds: number[]; watched: string[] } {
  const viewIds: number[] = []
  const watched: string[] = []
  const worker = fakeWorker({
    watchView: async (viewId, projection, documentId) => {
      viewIds.push(viewId)
      watched.push(`${projection}/${documentId}`)
      return ok(undefined)
    },
    ...answers,
  })
  return { ...worker, viewIds, watched }
}

async function open(...workers: FakeWorker[]): Promise<StoreClient<TextApp>> {
  const store = await openStore<TextApp>(() => (workers.shift() ?? fakeWorker()).port, { storeId: 's' })
  opened.push(store)
  return store
}

/** Draws a frame once one was asked for. */
async function drawFrame(): Promise<void> {
  await vi.waitFor(() => expect(frames).not.toHaveLength(0))
  for (const frame of frames.splice(0)) frame()
  await Promise.resolve()
}

function snapshot(text: string, streamVersion: number): Snapshot<Text> {
  return { state: { text }, streamVersion, globalPosition: streamVersion, confirmedPosition: 0, pending: 0 }
}

function update(viewId: number, shown: Snapshot<Text> | null): ViewUpdate {
  return { viewId, snapshot: shown, error: null }
}

function changeOf(view: View<Text>): Promise<void> {
  return new Promise(resolve => {
    const unsubscribe = view.subscribe(() => {
      unsubscribe()
      resolve()
    })
  })
}

test('a view is undefined until the first delivery, then the snapshot by the same reference', async () => {
  const worker = watchingWorker()
  const store = await open(worker)
  const view = store.view('text', 'a')
  expect(view.getSnapshot()).toBeUndefined()
  view.subscribe(() => {})
  await worker.called('watchView')
  expect(worker.watched).toEqual(['text/a'])
  const shown = worker.page().showView(update(worker.viewIds[0]!, snapshot('x', 1)))
  expect(view.getSnapshot()).toBeUndefined()
  await drawFrame()
  expect(await shown).toBe('continue')
  expect(view.getSnapshot()).toEqual(snapshot('x', 1))
  expect(view.getSnapshot()).toBe(view.getSnapshot())
})

describe('of a state of many parts', () => {
  type Parts = { a: { n: number }; b: { n: number } }
  type PartsApp = App & { projections: { parts: ProjectionDefinition<Parts, { type: 'T'; data: object }> } }

  async function showing(options = {}) {
    const worker = watchingWorker()
    const store = await openStore<PartsApp>(() => worker.port, { storeId: 's', ...options })
    opened.push(store as never)
    const view = store.view('parts', 'a')
    view.subscribe(() => {})
    await worker.called('watchView')
    const show = async (update: Partial<ViewUpdate>) => {
      const answer = worker
        .page()
        .showView({ viewId: worker.viewIds[0]!, snapshot: undefined, error: null, ...update })
      await drawFrame()
      return answer
    }
    const whole = (state: Parts, globalPosition = 1) => ({
      snapshot: { ...snapshot('', 1), state, globalPosition },
    })
    return { view, show, whole }
  }

  test('a patch changes what is different, and all else stays the same object', async () => {
    const { view, show, whole } = await showing()
    await show(whole({ a: { n: 1 }, b: { n: 2 } }))
    const before = view.getSnapshot()!.state
    const patch = { set: [['b', { to: { n: 3 } }]] as const, gone: [] }
    expect(await show({ snapshot: { ...snapshot('', 2), state: undefined }, patch })).toBe('continue')
    const after = view.getSnapshot()!
    expect(after).toMatchObject({ state: { a: { n: 1 }, b: { n: 3 } }, streamVersion: 2 })
    expect(after.state.a).toBe(before.a)
    expect(await show({ snapshot: { ...snapshot('', 3), state: undefined }, patch: null })).toBe('continue')
    expect(view.getSnapshot()!.state).toBe(after.state)
  })

  test('a patch of what is not shown is not applied: the whole state is asked for', async () => {
    const { view, show, whole } = await showing()
    const patch = { set: [['b', { to: { n: 3 } }]] as const, gone: [] }
    expect(await show({ snapshot: { ...snapshot('', 2), state: undefined }, patch })).toBe('whole')
    expect(view.getSnapshot()).toBeUndefined()
    expect(await show(whole({ a: { n: 1 }, b: { n: 3 } }))).toBe('continue')
  })

  test('of a whole state, too, what is equal stays the same object', async () => {
    const { view, show, whole } = await showing()
    await show(whole({ a: { n: 1 }, b: { n: 2 } }))
    const before = view.getSnapshot()!.state
    await show(whole({ a: { n: 1 }, b: { n: 3 } }, 2))
    expect(view.getSnapshot()!.state.a).toBe(before.a)
    expect(view.getSnapshot()!.state.b).toEqual({ n: 3 })
  })

  test('what is shown is frozen, if that is wanted', async () => {
    const { view, show, whole } = await showing({ freeze: true })
    await show(whole({ a: { n: 1 }, b: { n: 2 } }))
    expect(() => {
      view.getSnapshot()!.state.a.n = 7
    }).toThrow(TypeError)
  })
})

test('null says that the document has no events', async () => {
  const worker = watchingWorker()
  const store = await open(worker)
  const view = store.view('text', 'a')
  const changed = changeOf(view)
  await worker.called('watchView')
  void worker.page().showView(update(worker.viewIds[0]!, null))
  await drawFrame()
  await changed
  expect(view.getSnapshot()).toBeNull()
})

test('a delivery is answered only in the frame that shows it, so that the worker sends one a frame', async () => {
  const worker = watchingWorker()
  const store = await open(worker)
  const view = store.view('text', 'a')
  const told = vi.fn()
  view.subscribe(told)
  await worker.called('watchView')
  const answered = vi.fn()
  const shown = worker
    .page()
    .showView(update(worker.viewIds[0]!, snapshot('x', 1)))
    .then(answered)
  await vi.waitFor(() => expect(frames).toHaveLength(1))
  expect(answered).not.toHaveBeenCalled()
  expect(told).not.toHaveBeenCalled()
  await drawFrame()
  await shown
  expect(told).toHaveBeenCalledTimes(1)
})

test('a hidden page, which draws no frames, is told all the same', async () => {
  vi.stubGlobal('document', { hidden: true, addEventListener: () => {} })
  vi.stubGlobal('addEventListener', () => {})
  const worker = watchingWorker()
  const view = (await open(worker)).view('text', 'a')
  const changed = changeOf(view)
  await worker.called('watchView')
  void worker.page().showView(update(worker.viewIds[0]!, snapshot('x', 1)))
  await changed
  expect(frames).toHaveLength(0)
})

test('the same document is the same view, and is watched once for all its subscribers', async () => {
  const worker = watchingWorker()
  const store = await open(worker)
  expect(store.view('text', 'a')).toBe(store.view('text', 'a'))
  expect(store.view('text', 'a')).not.toBe(store.view('text', 'b'))
  const told = vi.fn()
  const unsubscribe = store.view('text', 'a').subscribe(told)
  store.view('text', 'a').subscribe(told)
  await worker.called('watchView')
  unsubscribe()
  unsubscribe()
  void worker.page().showView(update(worker.viewIds[0]!, snapshot('x', 1)))
  await drawFrame()
  expect(told).toHaveBeenCalledTimes(1)
  expect(worker.viewIds).toHaveLength(1)
})

describe('without subscribers', () => {
  test('a view is let go after a while, and shows what it had until it is watched again', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const worker = watchingWorker()
    const view = (await open(worker)).view('text', 'a')
    const unsubscribe = view.subscribe(() => {})
    await worker.called('watchView')
    const shown = worker.page().showView(update(worker.viewIds[0]!, snapshot('x', 1)))
    await drawFrame()
    await shown
    unsubscribe()
    expect(worker.calls).not.toContain('unwatchView')
    vi.advanceTimersByTime(1_000)
    await worker.called('unwatchView')
    expect(await worker.page().showView(update(worker.viewIds[0]!, snapshot('y', 2)))).toBe('stop')
    expect(view.getSnapshot()).toEqual(snapshot('x', 1))
    view.subscribe(() => {})
    await worker.called('watchView', 2)
  })

  test('a view that is subscribed to again at once is not let go', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    const worker = watchingWorker()
    const view = (await open(worker)).view('text', 'a')
    view.subscribe(() => {})()
    view.subscribe(() => {})
    vi.advanceTimersByTime(5_000)
    await worker.called('watchView')
    expect(worker.viewIds).toHaveLength(1)
    expect(worker.calls).not.toContain('unwatchView')
  })
})

test('a new worker is asked to watch what the dead one did, and keeps on showing', async () => {
  const [first, second] = [watchingWorker(), watchingWorker()]
  const view = (await open(first, second)).view('text', 'a')
  view.subscribe(() => {})
  await first.called('watchView')
  void first.page().showView(update(first.viewIds[0]!, snapshot('x', 1)))
  await drawFrame()
  first.die()
  await second.called('watchView')
  expect(second.watched).toEqual(['text/a'])
  expect(view.getSnapshot()).toEqual(snapshot('x', 1))
  const changed = changeOf(view)
  void second.page().showView(update(second.viewIds[0]!, snapshot('xy', 2)))
  await drawFrame()
  await changed
  expect(view.getSnapshot()).toEqual(snapshot('xy', 2))
})

describe('a view that fails', () => {
  test('says why, keeps the last good snapshot, and recovers', async () => {
    const worker = watchingWorker()
    const view = (await open(worker)).view('text', 'a')
    const told = vi.fn()
    view.subscribe(told)
    await worker.called('watchView')
    const show = async (change: Omit<ViewUpdate, 'viewId'>) => {
      const shown = worker.page().showView({ viewId: worker.viewIds[0]!, ...change })
      await drawFrame()
      await shown
    }
    await show({ snapshot: snapshot('x', 1), error: null })
    await show({ snapshot: undefined, error: wireErrorOf(new StoreError('handler-failed', 'boom')) })
    expect(view.getError()).toSatisfy(error => isStoreError(error, 'handler-failed'))
    expect(view.getSnapshot()).toEqual(snapshot('x', 1))
    await show({ snapshot: snapshot('y', 2), error: null })
    expect(view.getError()).toBeNull()
    expect(told).toHaveBeenCalledTimes(3)
  })

  test('tells of a projection that the app does not have', async () => {
    const unknown = wireErrorOf(new StoreError('unknown-projection', 'no such'))
    const worker = fakeWorker({ watchView: async () => ({ ok: false, error: unknown }) })
    const view = (await open(worker)).view('text', 'a')
    await changeOf(view)
    expect(view.getError()).toSatisfy(error => isStoreError(error, 'unknown-projection'))
    expect(view.getSnapshot()).toBeUndefined()
  })
})

test('a listener that throws does not keep the next one from being told', async () => {
  const worker = watchingWorker()
  const view = (await open(worker)).view('text', 'a')
  const uncaught = new Promise(resolve => process.once('uncaughtException', resolve))
  const told = vi.fn()
  view.subscribe(() => {
    throw new Error('a broken component')
  })
  view.subscribe(told)
  await worker.called('watchView')
  void worker.page().showView(update(worker.viewIds[0]!, snapshot('x', 1)))
  await drawFrame()
  await vi.waitFor(() => expect(told).toHaveBeenCalledTimes(1))
  expect(await uncaught).toMatchObject({ message: 'a broken component' })
})
