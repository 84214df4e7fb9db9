// Whatever happens to a projection, in the background or when asked for, its documents are what its events make of it, those
// left out that the application said to go on without.

import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import type { EventLog } from '../../../src/engine/event-log.ts'
import { createEventStore } from '../../../src/engine/event-store.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { AnyProjection } from '../../../src/model/app.ts'
import { createMemoryDatabase } from '../../../src/storage/memory/index.ts'
import { IN_BACKGROUND, OVER_ALL, openLists } from './lists.ts'
import { append, openDevice, openServer, pull, push } from './replicas.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 120_000 })

type Numbered = RecordedEvent & { data: number }
type Documents = Readonly<Record<string, readonly string[]>>

const STREAMS = ['cart-1', 'cart-2', 'order-1']
const TYPES = ['A', 'B'] as const
type Type = (typeof TYPES)[number]
/** Of each type, which handler it has. A handler fails on every number that it divides. */
type Code = Readonly<Record<Type, number>>

const IDS = ['even', 'odd']
const idOf = ({ data }: Numbered) => IDS[data % 2]!
const isCovered = ({ metadata }: RecordedEvent) => metadata.streamName.startsWith('cart-')
const failsOn = (code: Code, { type, data }: Numbered) => data % code[type as Type] === 0
/** What was before is gone then, so that another code can come to the same again. */
const forgets = ({ data }: Numbered) => data % 3 === 0

function definitionOf(code: Code, kind: Partial<AnyProjection>): Partial<AnyProjection> {
  const handler = (state: readonly string[], event: Numbered) => {
    if (failsOn(code, event)) throw new Error(`cannot take ${event.data}`)
    return forgets(event) ? [`${event.data}`] : [...state, `${code[event.type as Type]}:${event.data}`]
  }
  return {
    canHandle: TYPES,
    categories: ['cart'],
    getDocumentId: idOf,
    evolve: { A: handler, B: handler } as never,
    snapshot: { every: 3 },
    handlerCode: {
      hasher: 1,
      base: 'b',
      handlers: Object.fromEntries(TYPES.map(type => [type, `${code[type]}`])),
    },
    ...kind,
  }
}

/** Folded from the first event on, by nothing of the library. Ends before an event that fails and is not skipped. */
async function naively(log: EventLog, code: Code, skips: ReadonlySet<string>) {
  const documents: Record<string, string[]> = {}
  for await (const events of log.readAll()) {
    for (const event of events as Numbered[]) {
      if (!isCovered(event)) continue
      if (failsOn(code, event)) {
        if (skips.has(skipOf(event, code))) continue
        return { documents, stoppedAt: event.metadata.eventId }
      }
      const before = documents[idOf(event)] ?? []
      documents[idOf(event)] = forgets(event)
        ? [`${event.data}`]
        : [...before, `${code[event.type as Type]}:${event.data}`]
    }
  }
  return { documents, stoppedAt: null }
}

/** Skipped is an event for as long as the handler of its type is the same. */
const skipOf = ({ type, metadata }: RecordedEvent, code: Code) => `${metadata.eventId} ${code[type as Type]}`

const numberIn = (word: string): number => Number(word.split(':').at(-1))

type Lists = ReturnType<typeof openLists>

async function documentsOf(lists: Lists): Promise<Documents> {
  const documents: Record<string, readonly string[]> = {}
  for (const id of IDS) {
    const state = await lists.words(id)
    if (state) documents[id] = state as readonly string[]
  }
  return documents
}

test('whatever is appended, amended, erased, rebased, skipped, rebuilt, changed and restarted, a projection gives what a naive fold gives', async () => {
  const seen = { stopped: 0, stoppedInBetween: 0, skipped: 0, behindSkips: 0, rebuilt: 0 }
  const action = fc.constantFrom(
    ...(['append', 'append', 'append', 'append', 'remote', 'sync', 'amend', 'erase'] as const),
    ...(['skip', 'skip', 'skip', 'rebuild', 'rebuild-on', 'change', 'restart', 'restart', 'check'] as const),
  )
  const step = fc.record({
    action,
    streamName: fc.constantFrom(...STREAMS),
    type: fc.constantFrom<Type>('A', 'A', 'A', 'B'),
    size: fc.integer({ min: 1, max: 6 }),
    code: fc.constantFrom(11, 13, 17, 19),
    pick: fc.nat(1_000),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async steps => {
      const database = createMemoryDatabase()
      const server = await openServer()
      let log = await openDevice(database)
      let code: Code = { A: 11, B: 11 }
      const skips = new Set<string>()
      const erased = new Set<number>()
      const open = () => ({
        async: openLists(log, { definition: definitionOf(code, IN_BACKGROUND) }),
        inline: openLists(log, { definition: definitionOf(code, OVER_ALL) }),
      })
      let lists = open()
      let next = 1

      const check = async () => {
        const expected = await naively(log, code, skips)
        const processed = await lists.async.whenProcessed().then(
          () => null,
          error => error.facts.eventId,
        )
        expect(processed).toBe(expected.stoppedAt)
        // Behind a failure, what was to be made anew is what it was before, whenever that was.
        const isBefore = lists.async.projector.followers.get('lists')!.progress.isRebuilding
        if (isBefore) seen.stoppedInBetween++
        else expect(await documentsOf(lists.async)).toEqual(expected.documents)
        await hasNothingErased()
        expect(await documentsOf(lists.inline)).toEqual(expected.documents)
        if (expected.stoppedAt) seen.stopped++
        else if (skips.size > 0) seen.behindSkips++
        return expected
      }
      const hasNothingErased = async () => {
        const all = Object.values(await documentsOf(lists.async)).flat()
        expect(all.filter(word => erased.has(numberIn(word)))).toEqual([])
      }
      const restart = async () => {
        await lists.async.projector.close()
        await lists.inline.projector.close()
        await log.close()
        log = await openDevice(database)
        lists = open()
      }

      for (const { action, streamName, type, size, code: changed, pick } of steps) {
        const events = Array.from({ length: size }, () => ({ type, data: next++ }))
        if (action === 'append') await append(log, streamName, ...events)
        else if (action === 'remote') await append(server, streamName, ...events)
        else if (action === 'sync') {
          await pull(log, server)
          if (pick % 2) await push(log, server)
        } else if (action === 'amend' || action === 'erase') {
          const all: RecordedEvent[] = []
          for await (const part of log.readAll()) all.push(...part)
          const event = all[pick % Math.max(all.length, 1)]
          if (!event) continue
          const { eventId, streamName: amended } = event.metadata
          if (action === 'erase') {
            await log.erasures.erase([eventId])
            erased.add((event as Numbered).data)
            // At once, and not only when all is folded again.
            await hasNothingErased()
          } else
            await createEventStore(log).amendStream(amended, [{ kind: 'remove', eventId }], {
              reason: 'a slip',
            })
        } else if (action === 'skip') {
          const { stoppedAt } = await check()
          if (!stoppedAt) continue
          await lists.async.followers.skip('lists', stoppedAt)
          await lists.inline.followers.skippedElsewhere('lists')
          for await (const part of log.readAll()) {
            const event = part.find(({ metadata }) => metadata.eventId === stoppedAt)
            if (event) skips.add(skipOf(event, code))
          }
          seen.skipped++
        } else if (action === 'rebuild' || action === 'rebuild-on') {
          await lists.async.followers.rebuild('lists')
          if ((await lists.async.status()).phase === 'rebuilding') seen.rebuilt++
          if (action === 'rebuild') await lists.inline.followers.rebuild('lists')
        } else if (action === 'change') {
          // The one that comes less often, so that snapshots behind its events come to hold again.
          code = { ...code, B: changed }
          await restart()
        } else if (action === 'restart') await restart()
        else await check()
      }
      await check()
      await restart()
      await check()
      await lists.async.projector.close()
      await lists.inline.projector.close()
    }),
    { numRuns: 400 },
  )
  // All of it happened.
  for (const [what, times] of Object.entries(seen)) expect(times, what).toBeGreaterThan(20)
})
