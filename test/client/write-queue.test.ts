import { afterEach, expect, test } from 'vitest'
import { openStore } from '../../src/client/open-store.ts'
import type { StoreClient } from '../../src/client/store-client.ts'
import { isStoreError, StoreError } from '../../src/log/errors.ts'
import { idOf, payloadOf } from '../../src/log/event-batch.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import type { App } from '../../src/model/app.ts'
import { wireErrorOf } from '../../src/protocol/wire-error.ts'
import type { AppendCall, WriteMessage } from '../../src/protocol/worker-api.ts'
import { answersTo, fakeWorker, RESULT, written } from './fake-worker.ts'

let store: StoreClient<App> | undefined

afterEach(() => store?.close())

/** A store whose worker keeps what it was asked to write, message by message. */
async function openRecorded(): Promise<{ store: StoreClient<App>; messages: WriteMessage[] }> {
  const messages: WriteMessage[] = []
  const worker = fakeWorker({
    write: async message => {
      messages.push(message)
      return answersTo(message)
    },
  })
  store = await openStore<App>(worker.port, { storeId: 's' })
  return { store, messages }
}

const added = (n: number) => ({ type: 'Added', data: { n } })

test('a thousand appends of one tick cross in one message, in order', async () => {
  const { store, messages } = await openRecorded()
  await Promise.all(Array.from({ length: 1000 }, (_, i) => store.appendToStream('a', [added(i)])))
  expect(messages).toHaveLength(1)
  expect(dataOf(messages[0]!)).toEqual(Array.from({ length: 1000 }, (_, i) => [{ n: i }]))
})

test('a full message goes before the tick is over', async () => {
  const { store, messages } = await openRecorded()
  await Promise.all(Array.from({ length: 3_000 }, (_, i) => store.appendToStream('a', [added(i)])))
  expect(messages.map(({ calls }) => calls.length)).toEqual([1_024, 1_024, 952])
  expect(messages.flatMap(dataOf).flat()).toEqual(Array.from({ length: 3_000 }, (_, n) => ({ n })))
})

test('appends of two ticks are two messages', async () => {
  const { store, messages } = await openRecorded()
  await store.appendToStream('a', [added(1)])
  await store.appendToStream('a', [added(2)])
  expect(messages).toHaveLength(2)
})

test('commands and appends of one tick keep their order', async () => {
  const { store, messages } = await openRecorded()
  await Promise.all([
    store.appendToStream('a', [added(1)]),
    store.execute('cart' as never, '1', { type: 'Add', data: 1 } as never),
    store.appendToStreams([
      { streamName: 'b', events: [added(2)] },
      { streamName: 'c', events: [] },
    ]),
  ])
  expect(messages[0]!.calls.map(({ type }) => type)).toEqual(['append', 'execute', 'append'])
})

test('each write of a message settles by itself', async () => {
  const refusal = new StoreError('command-refused', 'sold out')
  const worker = fakeWorker({
    write: async message =>
      answersTo(message, (call, i) => (i === 1 ? { ok: false, error: wireErrorOf(refusal) } : written(call))),
  })
  store = await openStore<App>(worker.port, { storeId: 's' })
  const [first, second, third] = await Promise.allSettled(
    [1, 2, 3].map(n => store!.appendToStream('a', [added(n)])),
  )
  expect([first!.status, third!.status]).toEqual(['fulfilled', 'fulfilled'])
  expect(second).toMatchObject({
    status: 'rejected',
    reason: { code: 'command-refused', message: 'sold out' },
  })
})

test('a value that the log cannot carry is refused before anything is sent, and the others go', async () => {
  const { store, messages } = await openRecorded()
  const [good, bad] = await Promise.allSettled([
    store.appendToStream('a', [added(1)]),
    store.appendToStream('a', [added(2), { type: 'Added', data: { when: undefined } }]),
  ])
  expect(good.status).toBe('fulfilled')
  expect(bad).toMatchObject({ reason: { code: 'invalid-event', facts: { path: 'events[1].data.when' } } })
  expect(dataOf(messages[0]!)).toEqual([[{ n: 1 }]])
})

test('a command that JSON cannot carry is refused before anything is sent', async () => {
  const { store, messages } = await openRecorded()
  const command = { type: 'Add', data: { n: Number.NaN } } as never
  await expect(store.execute('cart' as never, '1', command)).rejects.toMatchObject({
    code: 'invalid-event',
    facts: { path: 'command.data.n' },
  })
  expect(messages).toEqual([])
})

test('a stream name or an expected version that cannot be is refused before anything is sent', async () => {
  const { store, messages } = await openRecorded()
  const code = (promise: Promise<unknown>) => promise.catch(error => isStoreError(error) && error.code)
  expect(await code(store.appendToStream('', [added(1)]))).toBe('invalid-event')
  expect(await code(store.appendToStream('a', [added(1)], { expectedStreamVersion: -1 }))).toBe(
    'invalid-argument',
  )
  expect(await code(store.appendToStream('a', [added(1)], { expectedStreamVersion: 1.5 }))).toBe(
    'invalid-argument',
  )
  expect(messages).toEqual([])
})

test('what the caller does to an event after the call does not reach the log', async () => {
  const { store, messages } = await openRecorded()
  const event = { type: 'Added', data: { n: 1 } }
  const appended = store.appendToStream('a', [event])
  event.data.n = 99
  await appended
  expect(dataOf(messages[0]!)).toEqual([[{ n: 1 }]])
})

test('the ids, expectations and options of the caller arrive', async () => {
  const { store, messages } = await openRecorded()
  const id = '018f5f3e-1c1b-7c1a-8a1b-0123456789ab'
  const options = { expectedStreamVersion: 3, onConflict: 'reject' } as const
  await Promise.all([
    store.appendToStream('a', [{ ...added(1), id }], options),
    store.execute('cart' as never, '7', { type: 'Add', data: 1 } as never, { commandId: id, retries: 2 }),
  ])
  const { calls, batch } = messages[0]!
  const [append, execute] = calls
  expect(append).toMatchObject({
    onConflict: 'reject',
    appends: [{ streamName: 'a', expectedStreamVersion: 3 }],
  })
  expect(eventIdOf(idOf(batch, 0))).toBe(id)
  expect(execute).toEqual({
    type: 'execute',
    decider: 'cart',
    id: '7',
    command: '{"type":"Add","data":1}',
    commandId: id,
    retries: 2,
  })
})

test('an append to no stream at all asks nobody', async () => {
  const { store, messages } = await openRecorded()
  expect(await store.appendToStreams([])).toEqual([])
  expect(messages).toEqual([])
})

test('a large append is taken in with pauses, and what is called after it stays behind it', async () => {
  const { store, messages } = await openRecorded()
  const many = Array.from({ length: 20_000 }, (_, n) => added(n))
  let pauses = 0
  const count = setInterval(() => pauses++)
  await Promise.all([
    store.appendToStream('a', [added(-1)]),
    store.appendToStream('a', many),
    store.appendToStream('a', [added(-2)]),
  ])
  clearInterval(count)
  const sent = messages.flatMap(dataOf).flat() as { n: number }[]
  expect(sent.map(({ n }) => n)).toEqual([-1, ...many.map(({ data }) => data.n), -2])
  expect(pauses).toBeGreaterThan(0)
})

test('a large append that is refused holds up nothing', async () => {
  const { store, messages } = await openRecorded()
  const many = Array.from({ length: 2_000 }, (_, n) => added(n === 1_999 ? Number.NaN : n))
  const [refused, next] = await Promise.allSettled([
    store.appendToStream('a', many),
    store.appendToStream('a', [added(1)]),
  ])
  expect(refused).toMatchObject({ reason: { facts: { path: 'events[1999].data.n' } } })
  expect(next.status).toBe('fulfilled')
  expect(messages.flatMap(dataOf)).toEqual([[{ n: 1 }]])
})

test('closing waits for a large append that was asked for before', async () => {
  const { store, messages } = await openRecorded()
  const appended = store.appendToStream(
    'a',
    Array.from({ length: 2_000 }, (_, n) => added(n)),
  )
  await store.close()
  await appended
  expect(dataOf(messages[0]!)[0]).toHaveLength(2_000)
})

test('whoever wants to know is told when the worker has judged, before the append resolves', async () => {
  const told: unknown[] = []
  const worker = fakeWorker({
    write: async message => {
      const [, second] = message.calls as AppendCall[]
      await worker.page().accepted(second!.acceptId!, [{ ...RESULT, nextExpectedStreamVersion: 7 }])
      told.push('written')
      return answersTo(message)
    },
  })
  store = await openStore<App>(worker.port, { storeId: 's' })
  await Promise.all([
    store.appendToStream('a', [added(1)]),
    store.appendToStream('a', [added(2)], { onAccepted: result => told.push(result) }),
  ])
  expect(told).toEqual([{ ...RESULT, nextExpectedStreamVersion: 7 }, 'written'])
})

/** Data of the events of each append. */
function dataOf({ calls, batch }: WriteMessage): unknown[][] {
  let next = 0
  return calls
    .flatMap(call => (call.type === 'append' ? call.appends : []))
    .map(({ count }) =>
      Array.from({ length: count }, () => JSON.parse(new TextDecoder().decode(payloadOf(batch, next++)))),
    )
}
