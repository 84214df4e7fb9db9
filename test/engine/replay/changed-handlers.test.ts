// A changed handler has folded again what it folded, and nothing else; what comes of it is what a full fold makes.

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { createProjector } from '../../../src/engine/replay/projector.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { App } from '../../../src/model/app.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { append, openDevice } from './replicas.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const TYPES = ['A', 'B', 'C'] as const
type Type = (typeof TYPES)[number]

/** Of each type, which handler it has; null for one that is passed by. */
type Code = Readonly<Record<Type, number | null>>

type Folding = Readonly<{ app: App; folded: () => number }>

/** An application whose handlers are as the build plugin would leave them. */
function appOf(code: Code, isOverAll: boolean, every: number | null): Folding {
  let folded = 0
  const canHandle = TYPES.filter(type => code[type] !== null)
  const handler = (factor: number) => (state: number, event: RecordedEvent) => {
    folded++
    return state * 3 + factor * (event.data as number)
  }
  const counter = {
    canHandle,
    initialState: () => 0,
    evolve: Object.fromEntries(canHandle.map(type => [type, handler(code[type]!)])),
    snapshot: every === null ? ('never' as const) : { every },
    handlerCode: {
      hasher: 1,
      base: 'b',
      handlers: Object.fromEntries(canHandle.map(type => [type, `code ${code[type]}`])),
    },
    ...(isOverAll && { getDocumentId: ({ metadata }: RecordedEvent) => metadata.streamName }),
  }
  return { app: { projections: { counter } }, folded: () => folded }
}

const STREAMS = ['s1', 's2', 's3']

test('whatever the history and whichever handlers change, the state is that of a full fold, for no more events', async () => {
  const kept = { all: 0, some: 0 }
  const event = fc.record({
    stream: fc.constantFrom(...STREAMS),
    type: fc.constantFrom(...TYPES),
    data: fc.integer({ min: 1, max: 9 }),
  })
  const handler = fc.option(fc.integer({ min: 1, max: 2 }), { nil: null })
  const code = fc.record({ A: handler, B: handler, C: handler })
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(code, fc.array(event, { minLength: 1, maxLength: 12 })), {
        minLength: 2,
        maxLength: 4,
      }),
      fc.boolean(),
      async (builds, isOverAll) => {
        const database = createMemoryDatabase()
        for (const [build, events] of builds) {
          const log = await openDevice(database)
          for (const { stream, type, data } of events) await append(log, stream, { type, data })
          const [smart, full] = [appOf(build, isOverAll, 2), appOf(build, isOverAll, null)]
          const states = async ({ app }: Folding) => {
            const projector = createProjector({ log, app, audit: false })
            const all = await Promise.all(STREAMS.map(stream => projector.latest('counter', stream)))
            await projector.close()
            return all.map(one => one && [one.state, one.streamVersion, one.globalPosition])
          }
          expect(await states(smart)).toEqual(await states(full))
          expect(smart.folded()).toBeLessThanOrEqual(full.folded())
          kept[smart.folded() < full.folded() ? 'some' : 'all']++
          await log.close()
        }
      },
    ),
    { numRuns: 500 },
  )
  // Snapshots were of use.
  expect(kept.some).toBeGreaterThan(100)
})

test('of many streams, those without the type are folded no further', async () => {
  const database = createMemoryDatabase()
  const log = await openDevice(database)
  for (const stream of STREAMS) {
    for (let n = 1; n <= 10; n++) await append(log, stream, { type: 'A', data: n })
  }
  await append(log, 's2', { type: 'B', data: 1 }, { type: 'A', data: 1 })
  const read = async (code: Code) => {
    const { app, folded } = appOf(code, false, 2)
    const projector = createProjector({ log, app, audit: false })
    for (const stream of STREAMS) await projector.latest('counter', stream)
    await projector.close()
    return folded()
  }
  const before = { A: 1, B: 1, C: 1 } as const
  expect(await read(before)).toBe(32)
  expect(await read(before)).toBe(0)
  expect(await read({ ...before, C: 2 })).toBe(0)
  expect(await read({ ...before, B: 2 })).toBe(12)
  expect(await read({ ...before, B: 2 })).toBe(0)
  // What was passed by is not the same as what is folded, and the other way round.
  expect(await read({ ...before, B: null })).toBe(11)
  expect(await read({ ...before, B: 2 })).toBe(12)
  await log.close()
})
