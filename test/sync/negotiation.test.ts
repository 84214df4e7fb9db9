// A client with servers of other releases: what they say of themselves it keeps to, and what it shares with none it says.

import { describe, expect, onTestFinished, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { textOf, utf8 } from '../../src/log/bytes.ts'
import { bearerToken, createSyncServer, type SyncServerLimits } from '../../src/server/index.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import type { LoopStatus } from '../../src/sync/status-of.ts'
import { createSyncLoop } from '../../src/sync/sync-loop.ts'
import { hastyClock } from './hasty-clock.ts'
import { STORE, TOKEN } from './sync-world.ts'

type Serve = (request: Request) => Promise<Response>

function serverWith(limits: SyncServerLimits = {}) {
  const database = createMemoryDatabase()
  const server = createSyncServer({
    openStorage: () => memoryStorage({ database }),
    authorize: request =>
      bearerToken(request) === TOKEN ? { storeId: STORE, read: true, append: true, erase: true } : null,
    limits,
  })
  onTestFinished(() => server.close())
  return server.fetch
}

/** A device, and the status of each answer to its pushes. */
async function deviceAt(serve: () => Serve) {
  const log = await openLog({ storage: memoryStorage(), storeId: STORE })
  const pushes: { status: number; bytes: number }[] = []
  const looks: (() => void)[] = []
  const loop = createSyncLoop({
    log,
    url: 'http://server',
    token: () => TOKEN,
    clock: hastyClock,
    onStatus: () => {
      for (const look of looks.splice(0)) look()
    },
    fetch: async (url, init) => {
      const answer = await serve()(new Request(url, init))
      const { body } = init
      if (init.method === 'POST' && url.endsWith('/log')) {
        pushes.push({ status: answer.status, bytes: (body as Uint8Array).length })
      }
      return answer
    },
  })
  onTestFinished(async () => {
    await loop.stop()
    await log.close()
  })
  return {
    log,
    loop,
    pushes,
    store: createEventStore(log),
    async until(fits: (status: LoopStatus) => boolean): Promise<LoopStatus> {
      while (!fits(loop.status())) await new Promise<void>(resolve => looks.push(resolve))
      return loop.status()
    },
  }
}

const isSettled = ({ phase, pending }: LoopStatus): boolean => phase === 'idle' && pending === 0

async function fill({ store }: Awaited<ReturnType<typeof deviceAt>>, commits: number): Promise<void> {
  for (let i = 0; i < commits; i++) await store.appendToStream('a', [{ type: 'Said', data: 'x'.repeat(400) }])
}

/** As a server of today answers, with heads changed: of pages that is JSON in front of blocks. */
const withHead =
  (serve: Serve, change: (head: Record<string, unknown>) => void): Serve =>
  async request => {
    const answer = await serve(request)
    const isPage = answer.headers.get('content-type') === 'application/octet-stream'
    if (!isPage) return answer
    const bytes = new Uint8Array(await answer.arrayBuffer())
    const length = new DataView(bytes.buffer).getUint32(0)
    const head = JSON.parse(textOf(bytes.subarray(4, 4 + length)))
    change(head)
    const changed = utf8(JSON.stringify(head))
    const message = new Uint8Array(4 + changed.length + bytes.length - 4 - length)
    new DataView(message.buffer).setUint32(0, changed.length)
    message.set(changed, 4)
    message.set(bytes.subarray(4 + length), 4 + changed.length)
    return new Response(message, answer)
  }

describe('the limits of a server', () => {
  test.each([1_500, 4_000, 20_000])(
    'of %d bytes a push: no push is larger, from the first one on',
    async maxPushBytes => {
      const server = serverWith({ maxPushBytes })
      const device = await deviceAt(() => server)
      await fill(device, 30)
      device.loop.start()
      await device.until(isSettled)
      expect(device.pushes.every(({ status }) => status === 200)).toBe(true)
      expect(Math.max(...device.pushes.map(({ bytes }) => bytes))).toBeLessThanOrEqual(maxPushBytes)
      // Nor smaller than need be: a commit is counted with less than 560 bytes.
      const fit = Math.max(1, Math.floor((maxPushBytes - 512) / 560))
      expect(device.pushes.length).toBeLessThanOrEqual(Math.ceil(30 / fit))
    },
  )

  test('are not known of one of the first releases: it says 413, and all gets there', async () => {
    const old = withHead(serverWith({ maxPushBytes: 4_000 }), head => {
      delete head['maxPushBytes']
      delete head['features']
    })
    const device = await deviceAt(() => old)
    await fill(device, 30)
    device.loop.start()
    await device.until(isSettled)
    expect(device.pushes.map(({ status }) => status)).toContain(413)
  })
})

test('what a later release says beside all that is passed over', async () => {
  const later = withHead(serverWith(), head => {
    head['features'] = ['streams', 'telepathy']
    head['moonPhase'] = { is: 'full' }
  })
  const device = await deviceAt(() => later)
  await fill(device, 2)
  device.loop.start()
  expect(await device.until(isSettled)).toMatchObject({ error: null })
})

describe('a server', () => {
  /** Speaks these versions: version 1 as it is, others are nothing that this client asks for. */
  const speaking =
    (versions: readonly number[], serve: Serve): Serve =>
    async request => {
      if (versions.includes(1)) return serve(request)
      const facts = { versions }
      const body = { code: 'unsupported-protocol', message: 'Version 1 is not spoken here', facts }
      return Response.json(body, { status: 404 })
    }

  test('of versions 1 and 2 is synced with', async () => {
    const server = speaking([1, 2], serverWith())
    const device = await deviceAt(() => server)
    await fill(device, 1)
    device.loop.start()
    expect(await device.until(isSettled)).toMatchObject({ error: null })
  })

  test.each([
    ['newer', [2, 3], 'app'],
    ['older', [0], 'server'],
  ] as const)(
    'of %s versions only: it is said which side to update, and sync goes on by itself',
    async (_, versions, update) => {
      const server = serverWith()
      let serving = speaking(versions, server)
      const device = await deviceAt(() => serving)
      await fill(device, 1)
      device.loop.start()
      const { error, pending } = await device.until(({ phase }) => phase === 'waiting')
      expect(error).toMatchObject({ code: 'unsupported-protocol', facts: { versions, version: 1, update } })
      expect(error!.message).toContain(`update the ${update}`)
      expect(pending).toBe(1)
      serving = server
      expect(await device.until(isSettled)).toMatchObject({ error: null })
    },
  )

  test('that drops the version while an erasure waits is waited for, too', async () => {
    const server = serverWith()
    let serving: Serve = server
    const device = await deviceAt(() => serving)
    await fill(device, 1)
    device.loop.start()
    await device.until(isSettled)
    serving = speaking([2], server)
    await device.log.erasures.erase([await device.log.eventIdAt(1)])
    device.loop.poke()
    await device.until(({ error }) => error?.code === 'unsupported-protocol')
    serving = server
    await device.until(isSettled)
    expect(device.log.erasures.cursor.unsentTo(device.log.cursor().epoch)).toEqual([])
  })

  test('of another kind that knows nothing of versions is no server of another one', async () => {
    const other: Serve = async () =>
      Response.json({ code: 'not-found', message: 'no', facts: {} }, { status: 404 })
    const device = await deviceAt(() => other)
    device.loop.start()
    expect(await device.until(({ phase }) => phase === 'waiting')).toMatchObject({
      error: { code: 'sync-refused' },
    })
  })
})
