// Devices that sync with the real server, in one process: the network between them is the test's to break.

import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import type { OnConflict } from '../../src/log/commit-note.ts'
import { StorageFailed } from '../../src/log/errors.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import type { App } from '../../src/model/app.ts'
import type { PushMark, Rejection } from '../../src/model/sync-status.ts'
import { type Access, bearerToken } from '../../src/server/access.ts'
import type { SyncServerLimits } from '../../src/server/server-options.ts'
import type { ServerSigning } from '../../src/server/signing.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import type { LoopStatus } from '../../src/sync/status-of.ts'
import { createSyncLoop, type SyncLoop } from '../../src/sync/sync-loop.ts'
import { wrapStorage } from '../support/wrap-storage.ts'
import { createFakeClock, type FakeClock } from './fake-clock.ts'

export const STORE = 'shared'
export const TOKEN = 'good-token'

/** What the network does to one request: `deliver` hands it to the server. */
export type Fault = (deliver: () => Promise<Response>, request: Request) => Response | Promise<Response>

export const FAULTS = {
  /** None. */
  deliver: deliver => deliver(),
  lostRequest: () => Promise.reject(new TypeError('fetch failed')),
  lostAnswer: async deliver => {
    await deliver()
    throw new TypeError('fetch failed')
  },
  hanging: (_deliver, { signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  failing: () => Response.json({ code: 'internal', message: 'The server failed' }, { status: 500 }),
  portal: () => new Response('<html>Sign in</html>', { headers: { 'content-type': 'text/html' } }),
} satisfies Record<string, Fault>

/** A tank that holds ten: filling it further is refused. */
export const tankApp = {
  deciders: {
    tank: {
      streamName: (id: string) => `tank-${id}`,
      initialState: () => 0,
      evolve: { Filled: (level: number, event: RecordedEvent) => level + (event.data as { by: number }).by },
      decide: (command: { type: 'Fill'; data: { by: number } }, level: number) => {
        if (level + command.data.by > 10) throw new Error(`only ${10 - level} left`)
        return { type: 'Filled', data: command.data }
      },
    },
  },
} satisfies App

/** How many of the next writes find the disk full. */
type Disk = { writesToFail: number }

export class SyncWorld {
  readonly clock: FakeClock = createFakeClock()
  readonly devices: Device[] = []
  server: SyncServer
  database: MemoryDatabase = createMemoryDatabase()
  readonly #limits: SyncServerLimits
  /** What the server lets everybody read. */
  readable: Access['read'] = true
  /** That devices are opened with from now on. */
  app: App = tankApp

  constructor(limits: SyncServerLimits = {}) {
    this.#limits = limits
    this.server = createServer(limits, this.database, undefined, () => this.readable)
  }

  /** Another server with an empty log, at the same address. */
  async replaceServer(): Promise<void> {
    this.database = createMemoryDatabase()
    await this.restart()
  }

  /** What the server has now, to be restored later. */
  backUp(): MemoryDatabase {
    return copyOf(this.database)
  }

  /** The server's database is what it was. Its operator says so, or does not. */
  async restore(backup: MemoryDatabase, { isTold = true } = {}): Promise<void> {
    this.database = copyOf(backup)
    await this.restart()
    if (isTold) await this.server.rotateEpoch(STORE)
  }

  /** Another process at the same address, over the same database. */
  async restart(signing?: ServerSigning | null): Promise<void> {
    await this.server.close()
    this.server = createServer(this.#limits, this.database, signing, () => this.readable)
  }

  /** Another server at the same address, over a storage of the test's own. */
  async serve(openStorage: () => LogStorage): Promise<void> {
    await this.server.close()
    this.server = serverOver(openStorage, this.#limits)
  }

  async openDevice(
    database = createMemoryDatabase(),
    storeId = STORE,
    streams?: readonly string[],
  ): Promise<Device> {
    const disk = { writesToFail: 0 }
    const storage = failingStorage(memoryStorage({ database }), disk)
    const part = streams && { streams }
    const log = await openLog({ storage, storeId, app: this.app, now: this.clock.now, ...part })
    const device = new Device(log, disk, this, streams)
    this.devices.push(device)
    return device
  }

  /** Lets time pass from timer to timer until `isDone`, but not while a request is under way. */
  async run(isDone: () => boolean): Promise<void> {
    while (!isDone()) {
      await nextTurn()
      if (!this.devices.some(({ isBusy }) => isBusy)) this.clock.advance(this.clock.waiting()[0] ?? 0)
    }
  }

  /** Everything is confirmed everywhere, and everybody has the same. */
  async converge(): Promise<void> {
    await this.run(() => {
      const statuses = this.devices.map(({ loop }) => loop.status())
      const end = Math.max(...statuses.map(({ serverPosition }) => serverPosition))
      return statuses.every(
        ({ phase, pending, serverPosition }) => phase === 'idle' && pending === 0 && serverPosition === end,
      )
    })
  }

  /** As {@link converge}, with erasures. */
  async settle(): Promise<void> {
    await this.converge()
    await this.run(() => this.devices.every(({ loop }) => loop.status().unsentErasures === 0))
    for (const { loop } of this.devices) loop.poke()
    await this.converge()
  }

  async close(): Promise<void> {
    for (const { loop } of this.devices) await loop.stop()
    await this.server.close()
    for (const { log } of this.devices) await log.close()
  }
}

export class Device {
  readonly log: EventLog
  readonly loop: SyncLoop
  readonly disk: Disk
  readonly rejected: Rejection[] = []
  /** The last push that was answered. */
  pushed: PushMark | null = null
  /** Method and path of each request but for hints. */
  readonly requests: string[] = []
  /** What happens to the next requests, one fault each; hints are let be. */
  readonly faults: Fault[] = []
  mostAtOnce = 0
  token: string | null = TOKEN
  #open = 0
  #waiting: (() => void)[] = []

  constructor(log: EventLog, disk: Disk, world: SyncWorld, streams?: readonly string[]) {
    this.log = log
    this.disk = disk
    this.loop = createSyncLoop({
      log,
      url: 'http://server/',
      token: () => this.token,
      streams,
      clock: world.clock,
      random: () => 0.5,
      fetch: (url, init) => this.#fetch(new Request(url, init), world),
      onStatus: () => {
        for (const look of this.#waiting.splice(0)) look()
      },
      onPushed: mark => {
        this.pushed = mark
      },
      onRejected: rejections => this.rejected.push(...rejections),
    })
  }

  get isBusy(): boolean {
    return this.#open > 0 || this.loop.status().phase === 'pulling'
  }

  /** Resolves with the first status from now on that fits. */
  async until(fits: (status: LoopStatus) => boolean): Promise<LoopStatus> {
    for (;;) {
      const status = this.loop.status()
      if (fits(status)) return status
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
  }

  async append(streamName: string, texts: readonly string[], onConflict?: OnConflict): Promise<void> {
    const batch = encodeEvents(texts.map(data => ({ type: 'Said', data })))
    const append = { streamName, expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch } as const
    await this.log.append({ appends: [append], ...(onConflict && { onConflict }) })
  }

  async fill(by: number): Promise<void> {
    const command = { type: 'Fill', data: { by } }
    await this.log.execute({ decider: 'tank', id: '1', command, commandId: crypto.randomUUID() })
  }

  /** `stream@version data hash` of each confirmed event, in the server's order. */
  async confirmed(): Promise<string[]> {
    const lines: string[] = []
    for await (const part of this.log.readAll()) {
      for (const { data, metadata } of part) {
        const { status, streamName, streamVersion, hash } = metadata
        if (status === 'confirmed')
          lines.push(`${streamName}@${streamVersion} ${JSON.stringify(data)} ${hash}`)
      }
    }
    return lines
  }

  async #fetch(request: Request, world: SyncWorld): Promise<Response> {
    const deliver = () => world.server.fetch(request)
    const { pathname } = new URL(request.url)
    if (pathname === '/v1/hints') return deliver()
    this.requests.push(`${request.method} ${pathname}`)
    this.#open++
    this.mostAtOnce = Math.max(this.mostAtOnce, this.#open)
    try {
      return await (this.faults.shift() ?? deliver)(deliver, request)
    } finally {
      this.#open--
    }
  }
}

export const copyOf = ({ blocks, values }: MemoryDatabase): MemoryDatabase => ({
  blocks: [...blocks],
  values: new Map(values),
})

export function nextTurn(): Promise<void> {
  return new Promise(resolve => setImmediate(resolve))
}

/** The same for all servers of a run, as for one that is restored. */
const keyPair = await generateKeyPair()

export function createServer(
  limits: SyncServerLimits,
  database = createMemoryDatabase(),
  signing?: ServerSigning | null,
  readable?: () => Access['read'],
): SyncServer {
  return serverOver(() => memoryStorage({ database }), limits, signing, readable)
}

export function serverOver(
  openStorage: () => LogStorage,
  limits: SyncServerLimits = {},
  signing: ServerSigning | null = { name: 'sync.test', keyPair },
  readable: () => Access['read'] = () => true,
): SyncServer {
  return createSyncServer({
    ...(signing && { signing }),
    openStorage,
    authorize: request =>
      bearerToken(request) === TOKEN ? { storeId: STORE, read: readable(), append: true, erase: true } : null,
    limits,
  })
}

function failingStorage(storage: LogStorage, disk: Disk): LogStorage {
  return wrapStorage(storage, {
    append: async (...args) => {
      if (disk.writesToFail-- > 0) throw new StorageFailed('quota', 'The disk is full')
      return storage.append(...args)
    },
  })
}
