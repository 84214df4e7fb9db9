import { afterEach, expect, test, vi } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { isStoreError, LogDamaged, StoreError } from '../../src/log/errors.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import type { App } from '../../src/model/app.ts'
import { wireErrorOf } from '../../src/protocol/wire-error.ts'
import type { Delivery, SubscribeCall, WorkerApi } from '../../src/protocol/worker-api.ts'
import { type FakeWorker, fakeWorker, never, ok } from './fake-worker.ts'

const opened: StoreClient<App>[] = []

afterEach(async () => {
  await Promise.all(opened.splice(0).map(store => store.close().catch(() => {})))
})

function subscribedWorker(answers: Partial<WorkerApi> = {}): FakeWorker & { asked: SubscribeCall[] } {
  const asked: SubscribeCall[] = []
  const worker = fakeWorker({
    subscribe: async call => {
      asked.push(call)
      return ok(typeof call.from === 'number' ? call.from : 0)
    },
    ...answers,
  })
  return { ...worker, asked }
}

async function open(...workers: FakeWorker[]): Promise<StoreClient<App>> {
  const store = await openStore<App>(() => (workers.shift() ?? fakeWorker()).port, { storeId: 's' })
  opened.push(store)
  return store
}

function delivery(subscriptionId: number, positions: number[], rest: Partial<Delivery> = {}): Delivery {
  const events = positions.map(position => ({
    type: 'T',
    data: position,
    metadata: { globalPosition: position },
  }))
  return {
    subscriptionId,
    events: events as unknown as RecordedEvent[],
    notice: null,
    position: positions.at(-1) ?? 0,
    ...rest,
  }
}

test('events are handled one at a time, in order', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const steps: string[] = []
  await store.subscribe(async event => {
    steps.push(`begin ${event.data}`)
    await Promise.resolve()
    steps.push(`end ${event.data}`)
  })
  await worker.page().deliver(delivery(worker.asked[0]!.subscriptionId, [1, 2]))
  expect(steps).toEqual(['begin 1', 'end 1', 'begin 2', 'end 2'])
})

test('a delivery is answered only when its handlers have run: the worker waits with the next', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  let release = () => {}
  await store.subscribe(() => new Promise<void>(resolve => (release = resolve)))
  const answered = vi.fn()
  const delivered = worker
    .page()
    .deliver(delivery(worker.asked[0]!.subscriptionId, [1]))
    .then(answered)
  await worker.page().syncStatus({} as never)
  expect(answered).not.toHaveBeenCalled()
  release()
  await delivered
  expect(answered).toHaveBeenCalledWith('continue')
})

test('the position follows what was handled, and moves on over what was passed by', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const subscription = await store.subscribe(() => {}, { from: 3, streamName: 'a' })
  expect(worker.asked[0]).toMatchObject({ from: 3, streamName: 'a' })
  expect(subscription.position()).toBe(3)
  const id = worker.asked[0]!.subscriptionId
  await worker.page().deliver(delivery(id, [5]))
  expect(subscription.position()).toBe(5)
  await worker.page().deliver(delivery(id, [], { notice: 'caught-up', position: 9 }))
  expect(subscription.position()).toBe(9)
})

test('notices are told in their place', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const told: unknown[] = []
  await store.subscribe(event => void told.push(event.data), {
    onCaughtUp: () => told.push('caught up'),
    onFellBehind: () => told.push('fell behind'),
  })
  const id = worker.asked[0]!.subscriptionId
  await worker.page().deliver(delivery(id, [1], { notice: 'caught-up' }))
  await worker.page().deliver(delivery(id, [], { notice: 'fell-behind', position: 1 }))
  await worker.page().deliver(delivery(id, [2]))
  expect(told).toEqual([1, 'caught up', 'fell behind', 2])
})

test.each([
  [
    'throws',
    () => {
      throw new Error('boom')
    },
  ],
  ['rejects', () => Promise.reject(new Error('boom'))],
])('a handler that %s ends the subscription, with the reason, before that event', async (_, fail) => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const onDropped = vi.fn()
  const seen: unknown[] = []
  const subscription = await store.subscribe(
    event => {
      seen.push(event.data)
      if (event.data === 2) return fail()
    },
    { onDropped },
  )
  const id = worker.asked[0]!.subscriptionId
  expect(await worker.page().deliver(delivery(id, [1, 2, 3]))).toBe('stop')
  expect(await worker.page().deliver(delivery(id, [4]))).toBe('stop')
  expect(seen).toEqual([1, 2])
  expect(subscription.position()).toBe(1)
  expect(onDropped).toHaveBeenCalledExactlyOnceWith(expect.objectContaining({ message: 'boom' }))
  await worker.called('unsubscribe')
})

test('a read that fails in the worker ends it with the typed error', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const onDropped = vi.fn()
  await store.subscribe(() => {}, { onDropped })
  await worker.page().dropped(worker.asked[0]!.subscriptionId, wireErrorOf(new LogDamaged(7, 'bad')))
  expect(onDropped.mock.calls[0]![0]).toBeInstanceOf(LogDamaged)
  expect(onDropped).toHaveBeenCalledTimes(1)
})

test('unsubscribing twice is safe, waits for nothing within a handler, and drops nothing', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const onDropped = vi.fn()
  const seen: unknown[] = []
  const subscription = await store.subscribe(
    async event => {
      seen.push(event.data)
      await subscription.unsubscribe()
    },
    { onDropped },
  )
  expect(await worker.page().deliver(delivery(worker.asked[0]!.subscriptionId, [1, 2]))).toBe('stop')
  await subscription.unsubscribe()
  expect(seen).toEqual([1])
  expect(onDropped).not.toHaveBeenCalled()
})

test('a signal ends it, and one that was aborted before refuses it', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const abort = new AbortController()
  await store.subscribe(() => {}, { signal: abort.signal })
  abort.abort()
  await worker.called('unsubscribe')
  expect(await worker.page().deliver(delivery(worker.asked[0]!.subscriptionId, [1]))).toBe('stop')
  await expect(store.subscribe(() => {}, { signal: abort.signal })).rejects.toMatchObject({ code: 'aborted' })
})

test('a new worker goes on where the handlers stand, with no gap and no double', async () => {
  const [first, second] = [subscribedWorker(), subscribedWorker()]
  const store = await open(first, second)
  const seen: unknown[] = []
  let release = () => {}
  await store.subscribe(async event => {
    seen.push(event.data)
    if (event.data === 2) await new Promise<void>(resolve => (release = resolve))
  })
  const oldId = first.asked[0]!.subscriptionId
  const page = first.page()
  // The handler of event 2 still runs when the worker dies.
  void page.deliver(delivery(oldId, [1, 2, 3]))
  await vi.waitFor(() => expect(seen).toEqual([1, 2]))
  first.die()
  await second.called('connect')
  release()
  await second.called('subscribe')
  expect(second.asked[0]!.from).toBe(3)
  expect(second.asked[0]!.subscriptionId).not.toBe(oldId)
  expect(await second.page().deliver(delivery(oldId, [3]))).toBe('stop')
  await second.page().deliver(delivery(second.asked[0]!.subscriptionId, [4]))
  expect(seen).toEqual([1, 2, 3, 4])
})

test('one that a dying worker never took up is taken up by the next', async () => {
  const first = fakeWorker({ subscribe: () => never() })
  const second = subscribedWorker()
  const store = await open(first, second)
  const subscribed = store.subscribe(() => {}, { from: 'end' })
  await first.called('subscribe')
  first.die()
  await subscribed
  expect(second.asked[0]!.from).toBe('end')
})

test('a worker that is lost for good drops it with worker-died', async () => {
  const worker = subscribedWorker()
  const store = await openStore<App>(worker.port, { storeId: 's' })
  let drop: (reason: Error) => void
  const dropped = new Promise<Error>(resolve => (drop = resolve))
  await store.subscribe(() => {}, { onDropped: reason => drop(reason) })
  worker.die()
  expect(await dropped).toSatisfy(error => isStoreError(error, 'worker-died'))
})

test('a subscription that the worker refuses is refused with its error', async () => {
  const refusal = wireErrorOf(new StoreError('store-closed', 'closing'))
  const worker = fakeWorker({ subscribe: async () => ({ ok: false, error: refusal }) })
  const store = await open(worker)
  await expect(store.subscribe(() => {})).rejects.toMatchObject({ code: 'store-closed' })
})

test('closing the store ends it without a word', async () => {
  const worker = subscribedWorker()
  const store = await open(worker)
  const onDropped = vi.fn()
  await store.subscribe(() => {}, { onDropped })
  await store.close()
  expect(onDropped).not.toHaveBeenCalled()
})
