// How long it takes until everybody who listens has heard of an event: 500 clients of one server, which is a process of
// its own, over sockets of this machine.

import { startDemoServer } from '../../e2e/support/servers.ts'
import packageJson from '../../package.json' with { type: 'json' }
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { systemClock } from '../../src/sync/clock.ts'
import { listenForHints } from '../../src/sync/hints.ts'
import { createSyncLoop } from '../../src/sync/sync-loop.ts'
import type { Measurement } from '../measurement.ts'
import { type Row, rowsOf } from '../report/result.ts'
import { percentile } from '../statistics.ts'

const CLIENTS = 500
const EVENTS = 50
/** Between two events: nobody types faster, and each is heard of before the next. */
const PAUSE_MS = 200
const BOARD = 'bench-live-clients'

export async function liveClients(rounds: number): Promise<Row[]> {
  const server = await startDemoServer()
  const access = { url: `${server.url}/sync`, token: () => BOARD, fetch: globalThis.fetch }
  const author = await openAuthor(access)
  const audience = new Audience()
  try {
    await audience.join(access)
    const taken: Measurement[][] = []
    for (let round = 0; round < rounds; round++) taken.push(await measure(author.append, audience))
    return rowsOf({ subject: 'StreamDingo', version: packageJson.version }, taken)
  } finally {
    await audience.leave()
    await author.close()
    await server.close()
  }
}

async function measure(append: () => Promise<number>, audience: Audience): Promise<Measurement[]> {
  const delays: number[] = []
  for (let i = 0; i < EVENTS; i++) {
    const start = performance.now()
    const heard = audience.hear()
    const position = await append()
    for (const at of await heard(position)) delays.push(at - start)
    await new Promise(resolve => setTimeout(resolve, PAUSE_MS))
  }
  const name = `appended on one device until ${CLIENTS} others have heard of it`
  return [
    { name: `${name}, median`, unit: 'ms', value: percentile(delays, 50) },
    { name: `${name}, p99`, unit: 'ms', value: percentile(delays, 99) },
  ]
}

type Access = Readonly<{ url: string; token: () => string; fetch: typeof fetch }>

/** `append` resolves with the position that the event will have on the server. */
async function openAuthor(access: Access) {
  const log = await openLog({ storage: memoryStorage(), storeId: BOARD })
  const store = createEventStore(log)
  const loop = createSyncLoop({ log, ...access })
  loop.start()
  let position = 0
  return {
    append: async () => {
      await store.appendToStream('typing', [{ type: 'Typed', data: 'x' }])
      return ++position
    },
    close: async () => {
      await loop.stop()
      await log.close()
    },
  }
}

/** Clients that only listen. */
class Audience {
  readonly #listening: Readonly<{ end: AbortController; hints: Promise<void> }>[] = []
  #onHint: (client: number, position: number, at: number) => void = () => {}

  async join(access: Access): Promise<void> {
    const present = Array.from({ length: CLIENTS }, (_, client) => this.#listen(access, client))
    await Promise.all(present)
  }

  #listen(access: Access, client: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = new AbortController()
      const hints = listenForHints({
        ...access,
        clock: systemClock,
        random: Math.random,
        signal: end.signal,
        onOpened: () => {},
        onClosed: () => reject(new Error('A client was hung up on')),
        onRefused: () => reject(new Error('A client was refused')),
        onHint: ({ position }) => {
          // The first one comes at once: the client is there.
          resolve()
          this.#onHint(client, position, performance.now())
        },
      })
      this.#listening.push({ end, hints })
    })
  }

  /** From now on; what it returns resolves with when each client heard of a position, or of a later one. */
  hear(): (position: number) => Promise<readonly number[]> {
    const heard = new Map<number, [position: number, at: number][]>()
    let look = (): void => {}
    this.#onHint = (client, position, at) => {
      heard.set(client, [...(heard.get(client) ?? []), [position, at]])
      look()
    }
    return position =>
      new Promise(resolve => {
        look = () => {
          const times = [...heard.values()].flatMap(
            hints => hints.find(([far]) => far >= position)?.[1] ?? [],
          )
          if (times.length === CLIENTS) resolve(times)
        }
        look()
      })
  }

  async leave(): Promise<void> {
    for (const { end } of this.#listening) end.abort()
    await Promise.all(this.#listening.map(({ hints }) => hints))
  }
}
