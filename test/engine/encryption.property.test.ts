// Random histories under random keys, which come, go over to others and are destroyed on two devices: a state is always the
// fold of what can be read where it is, and two devices with the same keys have the same one.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMemoryShelf, KeyRing } from '../../src/engine/encryption/key-ring.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { createProjector, type Projector } from '../../src/engine/replay/projector.ts'
import type { RecordedEvent } from '../../src/log/event.ts'
import type { App } from '../../src/model/app.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'

const numbers = (state: readonly number[], event: RecordedEvent): readonly number[] => [
  ...state,
  event.data as number,
]
const app = {
  projections: {
    stream: { canHandle: ['N'], initialState: () => [], evolve: numbers, snapshot: { every: 2 } },
    all: {
      canHandle: ['N'],
      getDocumentId: () => 'all',
      initialState: () => [],
      evolve: numbers,
      snapshot: { every: 2 },
    },
  },
} as unknown as App

const KEYS = ['k0', 'k1', 'k2']
const STREAMS = ['a', 'b']
const storeId = 's'

type Written = Readonly<{ streamName: string; keyId: string | null; n: number }>

async function openDevice(keyIdFor: () => string | null) {
  const database = createMemoryDatabase()
  const ring = new KeyRing({ shelf: createMemoryShelf() })
  const open = () =>
    openLog({ storage: memoryStorage({ database }), storeId, app, encryption: { ring, keyIdFor } })
  let log = await open()
  let projector = createProjector({ log, app })
  return {
    ring,
    get log() {
      return log
    },
    get projector() {
      return projector
    },
    async close() {
      await projector.close()
      await log.close()
    },
    async reopen() {
      await this.close()
      log = await open()
      projector = createProjector({ log, app })
    },
    has: new Set<string>(),
    destroyed: new Set<string>(),
  }
}

type Device = Awaited<ReturnType<typeof openDevice>>

const stateOf = async (projector: Projector, name: string, id: string) =>
  (await projector.latest(name, id))?.state ?? []

async function expectFolded({ has, log, projector }: Device, written: readonly Written[]): Promise<void> {
  const readable = written.filter(({ keyId }) => keyId === null || has.has(keyId))
  expect(await stateOf(projector, 'all', 'all')).toEqual(readable.map(({ n }) => n))
  for (const streamName of STREAMS) {
    const wanted = readable.filter(one => one.streamName === streamName).map(({ n }) => n)
    expect(await stateOf(projector, 'stream', streamName)).toEqual(wanted)
    const { events } = await createEventStore(log).readStream(streamName)
    expect(events.map(({ data }) => data)).toEqual(wanted)
  }
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('write' as const),
      stream: fc.nat(1),
      key: fc.integer({ min: -1, max: 2 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('add' as const, 'destroy' as const),
      device: fc.nat(1),
      key: fc.nat(2),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constantFrom('look' as const, 'reopen' as const), device: fc.nat(1) }),
  },
)

test('a state is the fold of what can be read', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 30 }), async steps => {
      let keyId: string | null = null
      const server = await openLog({ storage: memoryStorage(), storeId, isAuthority: true })
      const devices = [await openDevice(() => keyId), await openDevice(() => keyId)]
      const written: Written[] = []
      for (const [n, one] of steps.entries()) {
        if (one.do === 'write') {
          keyId = KEYS[one.key] ?? null
          const streamName = STREAMS[one.stream]!
          const writer = devices[0]!
          const append = createEventStore(writer.log).appendToStream(streamName, [{ type: 'N', data: n }])
          if (keyId !== null && !writer.has.has(keyId)) {
            const code = writer.destroyed.has(keyId) ? 'key-destroyed' : 'key-missing'
            await expect(append).rejects.toMatchObject({ code })
            continue
          }
          await append
          written.push({ streamName, keyId, n })
          await server.admit((await writer.log.pendingCommits(Infinity)).map(({ entries }) => entries))
          for (const { log } of devices) {
            const after = log.cursor().serverPosition
            const { commits, next } = await server.readCommits(after, Infinity)
            await log.applyRemote({ epoch: 'e', after, commits, next })
          }
          continue
        }
        const device = devices[one.device]!
        if (one.do === 'add') {
          const added = KEYS[one.key]!
          const adding = device.log.keys.add(added, new Uint8Array(32).fill(one.key + 1))
          if (device.destroyed.has(added))
            await expect(adding).rejects.toMatchObject({ code: 'key-destroyed' })
          else {
            await adding
            device.has.add(added)
          }
        } else if (one.do === 'destroy') {
          await device.log.keys.destroy(KEYS[one.key]!)
          device.has.delete(KEYS[one.key]!)
          device.destroyed.add(KEYS[one.key]!)
        } else if (one.do === 'reopen') await device.reopen()
        await expectFolded(device, written)
      }
      for (const device of devices) {
        await expectFolded(device, written)
        expect(await device.log.verify()).toMatchObject({ ok: true })
      }
      const [a, b] = devices.map(({ has }) => [...has].sort().join())
      if (a === b && written.length > 0) {
        const [hashA, hashB] = await Promise.all(
          devices.map(async ({ projector }) => (await projector.snapshot('all', 'all'))?.stateHash),
        )
        expect(hashA).toBe(hashB)
      }
      for (const device of devices) await device.close()
      await server.close()
    }),
    { numRuns: 60 },
  )
}, 60_000)
