import { describe, expect, test, vi } from 'vitest'
import { StoreError } from '../../src/log/errors.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import type { EventStore, SubscribeOptions } from '../../src/model/event-store.ts'
import type { Snapshot } from '../../src/model/snapshot.ts'
import { patched } from '../../src/protocol/state-patch.ts'
import type { Delivery, ViewUpdate } from '../../src/protocol/worker-api.ts'
import { createLatestSender } from '../../worker/latest-sender.ts'
import { SubscriptionFeeds } from '../../worker/subscription-feeds.ts'
import { ViewFeeds } from '../../worker/view-feeds.ts'

/** A page that answers when the test says so. */
function deferred<T>() {
  const waiting: ((value: T) => void)[] = []
  return {
    wait: () => new Promise<T>(resolve => waiting.push(resolve)),
    answer: (value: T) => waiting.shift()!(value),
    /** Resolves once there is something to answer. */
    asked: () => vi.waitFor(() => expect(waiting).not.toHaveLength(0)),
  }
}

describe('the latest sender', () => {
  test('sends one at a time, and any number of marks in between as one', async () => {
    const page = deferred<void>()
    const send = vi.fn(page.wait)
    const mark = createLatestSender(send, new AbortController().signal)
    for (let i = 0; i < 100; i++) mark()
    expect(send).toHaveBeenCalledTimes(1)
    page.answer()
    await page.asked()
    expect(send).toHaveBeenCalledTimes(2)
    page.answer()
    await Promise.resolve()
    mark()
    expect(send).toHaveBeenCalledTimes(3)
  })

  test('sends nothing more when its life is over', async () => {
    const life = new AbortController()
    const page = deferred<void>()
    const send = vi.fn(page.wait)
    const mark = createLatestSender(send, life.signal)
    mark()
    mark()
    life.abort()
    page.answer()
    await Promise.resolve()
    mark()
    expect(send).toHaveBeenCalledTimes(1)
  })
})

describe('view feeds', () => {
  function snapshot(text: string): Snapshot<unknown> {
    return { state: text, streamVersion: 1, globalPosition: 1, confirmedPosition: 0, pending: 0 }
  }

  function feeding() {
    const page = deferred<'continue' | 'stop'>()
    const shown: ViewUpdate[] = []
    let state = ''
    let dirty = () => {}
    const ended = vi.fn()
    const documents = {
      latest: vi.fn(async () => snapshot(state)),
      failureOf: vi.fn((): Error | null => null),
      watch: (_projection: string, _id: string, onDirty: () => void, signal: AbortSignal) => {
        dirty = onDirty
        signal.addEventListener('abort', ended)
      },
    }
    const feeds = new ViewFeeds(documents, {
      showView: update => {
        shown.push(update)
        return page.wait()
      },
    })
    const change = (next: string) => {
      state = next
      dirty()
    }
    const stateIn = ({ snapshot, patch }: ViewUpdate) =>
      patch === undefined ? snapshot?.state : patched(null, patch)
    const states = () => shown.map(update => update.error?.code ?? stateIn(update))
    return { feeds, page, shown, states, change, ended, documents }
  }

  test('a thousand changes while one is on its way are one delivery: the last', async () => {
    const { feeds, page, states, change, documents } = feeding()
    feeds.watch(1, 'text', 'a')
    await page.asked()
    for (let i = 1; i <= 1000; i++) change(`v${i}`)
    page.answer('continue')
    await page.asked()
    expect(states()).toEqual(['', 'v1000'])
    expect(documents.latest).toHaveBeenCalledTimes(2)
  })

  test('a view that the page let go, or says stop to, is watched no more', async () => {
    const { feeds, page, states, change, ended } = feeding()
    feeds.watch(1, 'text', 'a')
    await page.asked()
    page.answer('stop')
    await vi.waitFor(() => expect(ended).toHaveBeenCalled())
    change('later')
    await Promise.resolve()
    expect(states()).toEqual([''])
  })

  /** A view of a state of many parts, on a page that answers at once. */
  async function watchingParts(answers: ('continue' | 'whole')[] = [], isFrozen = false) {
    let latest: Snapshot<unknown> = { ...snapshot(''), state: { a: { n: 1 }, b: { n: 2 } } }
    let dirty = () => {}
    const shown: ViewUpdate[] = []
    const watch = (_projection: string, _id: string, onDirty: () => void) => {
      dirty = onDirty
    }
    const documents = { latest: async () => latest, failureOf: () => null, watch }
    const showView = async (update: ViewUpdate) => {
      shown.push(structuredClone(update))
      return answers.shift() ?? 'continue'
    }
    new ViewFeeds(documents, { showView }, isFrozen).watch(1, 'text', 'a')
    await vi.waitFor(() => expect(shown).toHaveLength(1))
    const change = async (state: unknown, globalPosition: number) => {
      const before = shown.length
      latest = { ...latest, state, globalPosition }
      dirty()
      await vi.waitFor(() => expect(shown.length).toBeGreaterThan(before))
      return shown.slice(before)
    }
    return { first: latest.state as { a: { n: number }; b: { n: number } }, shown, change }
  }

  test('what is different from what is shown is sent alone', async () => {
    const { first, shown, change } = await watchingParts()
    expect(shown).toMatchObject([{ snapshot: { state: { a: { n: 1 }, b: { n: 2 } } } }])
    expect(await change({ ...first, b: { n: 3 } }, 2)).toEqual([
      {
        viewId: 1,
        snapshot: { ...snapshot(''), state: undefined, globalPosition: 2 },
        error: null,
        patch: { set: [['b', { set: [['n', { to: 3 }]], gone: [] }]], gone: [] },
      },
    ])
    expect(await change({ a: { n: 1 }, b: { n: 3 } }, 3)).toMatchObject([{ patch: null }])
  })

  test('a page that does not have what a patch is of is given all of it', async () => {
    const { first, change } = await watchingParts(['continue', 'whole'])
    const state = { ...first, b: { n: 3 } }
    const [patch, whole] = await change(state, 2)
    expect(patch).toHaveProperty('patch')
    expect(whole).not.toHaveProperty('patch')
    expect(whole).toMatchObject({ snapshot: { state } })
  })

  test('the same object after another event may have been changed in place, and is sent whole', async () => {
    const { first, change } = await watchingParts()
    first.a.n = 7
    const [update] = await change(first, 2)
    expect(update).not.toHaveProperty('patch')
    expect(update).toMatchObject({ snapshot: { state: { a: { n: 7 } } } })
  })

  test('states are frozen before they are shown, if that is wanted', async () => {
    const { first } = await watchingParts([], true)
    expect(() => {
      first.a.n = 7
    }).toThrow(TypeError)
  })

  test('a fold that fails is told as an error, and the view goes on', async () => {
    const { feeds, page, states, change, documents } = feeding()
    documents.latest.mockRejectedValueOnce(new StoreError('handler-failed', 'boom'))
    feeds.watch(1, 'text', 'a')
    await page.asked()
    page.answer('continue')
    change('mended')
    await page.asked()
    expect(states()).toEqual(['handler-failed', 'mended'])
  })

  test('a document that a failed handler holds back is shown with the reason', async () => {
    const { feeds, page, shown, documents } = feeding()
    documents.failureOf.mockReturnValue(new StoreError('handler-failed', 'boom'))
    feeds.watch(1, 'text', 'a')
    await page.asked()
    expect(shown).toMatchObject([{ viewId: 1, snapshot: { state: '' }, error: { code: 'handler-failed' } }])
  })

  test('a state that cannot cross is told as an error', async () => {
    const updates: ViewUpdate[] = []
    const documents = { watch: () => {}, latest: async () => snapshot('fine'), failureOf: () => null }
    const feeds = new ViewFeeds(documents, {
      showView: async update => {
        if (update.snapshot) throw new DOMException('could not be cloned', 'DataCloneError')
        updates.push(update)
        return 'continue'
      },
    })
    feeds.watch(1, 'text', 'a')
    await vi.waitFor(() => expect(updates).toMatchObject([{ error: { message: 'could not be cloned' } }]))
  })
})

describe('subscription feeds', () => {
  const event = (position: number) =>
    ({ type: 'T', data: position, metadata: { globalPosition: position } }) as unknown as RecordedEvent

  function feeding() {
    const page = deferred<'continue' | 'stop'>()
    const delivered: Delivery[] = []
    const dropped = vi.fn(async () => {})
    let handler: (event: RecordedEvent) => void | Promise<void> = () => {}
    let options: SubscribeOptions = {}
    const store: Pick<EventStore, 'subscribe'> = {
      async subscribe(onEvent, given = {}) {
        handler = onEvent as typeof handler
        options = given
        return { position: () => 42, unsubscribe: async () => {} }
      },
    }
    const feeds = new SubscriptionFeeds(store, () => 7, {
      deliver: delivery => {
        delivered.push(delivery)
        return page.wait()
      },
      dropped,
    })
    const positions = () => delivered.map(({ events }) => events.map(({ data }) => data))
    return {
      feeds,
      page,
      delivered,
      dropped,
      positions,
      handle: (n: number) => handler(event(n)),
      options: () => options,
    }
  }

  test('events gather while the page handles the last delivery', async () => {
    const { feeds, page, positions, handle } = feeding()
    await feeds.subscribe({ subscriptionId: 1 })
    for (const n of [1, 2, 3, 4]) expect(handle(n)).toBeUndefined()
    expect(positions()).toEqual([[1]])
    page.answer('continue')
    await page.asked()
    expect(positions()).toEqual([[1], [2, 3, 4]])
  })

  test('the subscription stands still while the page has enough to do', async () => {
    const { feeds, page, handle } = feeding()
    await feeds.subscribe({ subscriptionId: 1 })
    let taken = 0
    let room = handle(++taken)
    while (room === undefined) room = handle(++taken)
    expect(taken).toBe(512)
    const onRoom = vi.fn()
    void (room as Promise<void>).then(onRoom)
    await Promise.resolve()
    expect(onRoom).not.toHaveBeenCalled()
    page.answer('continue')
    await room
  })

  test('an event that comes just as a delivery is answered is not left behind', async () => {
    const { feeds, page, positions, handle } = feeding()
    await feeds.subscribe({ subscriptionId: 1 })
    handle(1)
    for (const n of [2, 3, 4]) {
      await page.asked()
      page.answer('continue')
      for (let turn = 0; turn < n; turn++) await Promise.resolve()
      handle(n)
    }
    await vi.waitFor(() => expect(positions()).toEqual([[1], [2], [3], [4]]))
  })

  test('notices keep their place, and none is lost', async () => {
    const { feeds, page, delivered, handle, options } = feeding()
    await feeds.subscribe({ subscriptionId: 1 })
    handle(1)
    handle(2)
    options().onCaughtUp!()
    options().onFellBehind!()
    handle(3)
    for (let i = 0; i < 3; i++) {
      await page.asked()
      page.answer('continue')
    }
    await page.asked()
    expect(delivered.map(({ events, notice }) => [events.length, notice])).toEqual([
      [1, null],
      [1, 'caught-up'],
      [0, 'fell-behind'],
      [1, null],
    ])
    expect(delivered[1]!.position).toBe(42)
  })

  test('stop from the page ends the subscription', async () => {
    const { feeds, page, handle, options, positions } = feeding()
    await feeds.subscribe({ subscriptionId: 1 })
    handle(1)
    handle(2)
    await page.asked()
    page.answer('stop')
    await vi.waitFor(() => expect(options().signal!.aborted).toBe(true))
    expect(positions()).toEqual([[1]])
  })

  test('what ended it is told behind the events that came before', async () => {
    const { feeds, page, dropped, handle, options } = feeding()
    await feeds.subscribe({ subscriptionId: 1 })
    handle(1)
    options().onDropped!(new StoreError('log-damaged', 'bad'))
    await page.asked()
    expect(dropped).not.toHaveBeenCalled()
    page.answer('continue')
    await vi.waitFor(() =>
      expect(dropped).toHaveBeenCalledWith(1, expect.objectContaining({ code: 'log-damaged' })),
    )
  })

  test('it starts behind the head of the moment, a position, or nothing', async () => {
    const { feeds, options } = feeding()
    expect(await feeds.subscribe({ subscriptionId: 1, from: 'end' })).toBe(7)
    expect(options().from).toBe(7)
    expect(await feeds.subscribe({ subscriptionId: 2, from: 3 })).toBe(3)
    expect(await feeds.subscribe({ subscriptionId: 3 })).toBe(0)
  })
})
