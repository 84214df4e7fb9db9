// A new version of an application, in which one handler is another one: what has to be folded again of a million events
// in ten thousand streams, when one stream in a hundred has an event of its type.

import { openStore, type StoreClient } from 'streamdingo'
import { makeEvents } from '../events.ts'
import type { apps, ChangingApp, ItemReturned } from '../page/changed-handler-app.ts'
import { timed } from '../page/clock.ts'
import { appendBatches, batchesOf } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'

const EVENTS = 1_000_000
const STREAMS = 10_000
const ONE_IN = 100
const ASKED_AT_ONCE = 100
const MADE_AT_ONCE = 50_000

type Store = StoreClient<ChangingApp>

export const scenario: Scenario = {
  title: 'A changed handler, one million events in ten thousand streams',
  rounds: 3,

  async measure({ round, scaled }) {
    const database = `changed-handler-${round}`
    const streams = Array.from({ length: scaled(STREAMS) }, (_, i) => `cart-${i}`)
    await withStore('before', database, async store => {
      await fill(store, scaled(EVENTS), streams)
      // What a user has looked at before has snapshots.
      await statesOf(store, 'cart', streams)
    })
    let smart: readonly unknown[] = []
    let full: readonly unknown[] = []
    let folded = 0
    const smartMs = await withStore('after', database, async store => {
      const ms = await timed(async () => {
        smart = await statesOf(store, 'cart', streams)
      })
      folded = await replayedBy()
      return ms
    })
    const fullMs = await withStore('after', database, store =>
      timed(async () => {
        full = await statesOf(store, 'full', streams)
      }),
    )
    if (JSON.stringify(smart) !== JSON.stringify(full))
      throw new Error('The states are not those of a full fold')
    const all = scaled(EVENTS) + streams.length / ONE_IN
    return [
      { name: 'all documents after the change', unit: 'ms', value: smartMs, against: 'replay' },
      { name: 'the same, folded from the first event', unit: 'ms', value: fullMs, against: 'replay' },
      { name: 'events folded after the change', unit: 'events', value: folded },
      { name: 'events folded from the first one', unit: 'events', value: all },
    ]
  },
}

/** The type that changes comes in the middle of the history of one stream in a hundred. */
async function fill(store: Store, events: number, streams: readonly string[]): Promise<void> {
  const half = events / 2
  await append(store, 0, half, streams.length)
  const returned: ItemReturned = { type: 'ItemReturned', data: { quantity: 1, price: 100 } }
  const some = streams.filter((_, i) => i % ONE_IN === 0)
  await store.appendToStreams(some.map(streamName => ({ streamName, events: [returned] })))
  await append(store, half, events - half, streams.length)
}

async function append(store: Store, from: number, count: number, streams: number): Promise<void> {
  for (let at = 0; at < count; at += MADE_AT_ONCE) {
    await appendBatches(store, batchesOf(makeEvents(from + at, Math.min(MADE_AT_ONCE, count - at), streams)))
  }
}

async function statesOf(
  store: Store,
  projection: 'cart' | 'full',
  streams: readonly string[],
): Promise<unknown[]> {
  const states: unknown[] = []
  for (let at = 0; at < streams.length; at += ASKED_AT_ONCE) {
    const asked = streams
      .slice(at, at + ASKED_AT_ONCE)
      .map(stream => store.projection(projection).get(stream))
    for (const document of await Promise.all(asked)) states.push(document?.state)
  }
  return states
}

async function withStore<T>(
  app: keyof typeof apps,
  storeId: string,
  work: (store: Store) => Promise<T>,
): Promise<T> {
  const worker = () =>
    new Worker(new URL('../page/changed-handler-worker.ts', import.meta.url), { type: 'module', name: app })
  const store = await openStore<ChangingApp>(worker, { storeId, callTimeoutMs: 600_000 })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** By the replays of the worker that is open. */
function replayedBy(): Promise<number> {
  const channel = new BroadcastChannel('replayed')
  return new Promise(resolve => {
    channel.onmessage = ({ data }) => {
      channel.close()
      resolve(data as number)
    }
    channel.postMessage('how many?')
  })
}
