// Events as the application of today knows them: older shapes brought up to date, unknown types treated as it wishes.

import { StoreError } from '../log/errors.ts'
import type { RecordedEvent } from '../log/event.ts'
import type { App, Upcaster } from '../model/app.ts'
import { checkCount } from './reader.ts'
import { mustBeOpen, plainEvent } from './recorded-events.ts'

export class TodaysEvents {
  readonly #upcasters: ReadonlyMap<string, readonly Upcaster[]>
  readonly #known: ReadonlySet<string> | null
  readonly #unknown: NonNullable<App['unknownEvents']>
  /** Events are handed on as they are. */
  readonly isPlain: boolean

  /** @throws `StoreError` `invalid-argument` for upcasters that lead in a circle, or two for one shape. */
  constructor({ upcasters = [], eventTypes, unknownEvents = 'keep' }: App) {
    this.#upcasters = byType(upcasters)
    this.#known = eventTypes && unknownEvents !== 'keep' ? new Set(eventTypes) : null
    this.#unknown = unknownEvents
    this.isPlain = upcasters.length === 0 && this.#known === null
    for (const upcaster of upcasters) mustEnd(upcaster, this.#upcasters)
  }

  /** Null for one that is left out. @throws `StoreError` `upcast-failed`, `unknown-event-type`, `decryption-failed`. */
  of(event: RecordedEvent): RecordedEvent | null {
    mustBeOpen(event)
    if (this.isPlain) return event
    let latest = event
    for (;;) {
      const upcaster = upcasterOf(latest.type, latest.metadata.schemaVersion, this.#upcasters)
      if (!upcaster) break
      latest = upcastBy(upcaster, latest, event)
    }
    if (this.knows(latest.type)) return latest
    if (this.#unknown === 'ignore') return null
    const { eventId, streamName, globalPosition } = event.metadata
    const facts = { type: latest.type, eventId, streamName, globalPosition }
    throw new StoreError(
      'unknown-event-type',
      `This application does not know ${latest.type}, at position ${globalPosition}`,
      facts,
    )
  }

  /** A read for the application: so many events of those that are not left out. */
  async *read<O extends { maxCount?: number }>(
    options: O,
    read: (options: O) => AsyncIterable<readonly RecordedEvent[]>,
  ): AsyncGenerator<readonly RecordedEvent[]> {
    if (this.isPlain) {
      for await (const part of read(options)) {
        for (const event of part) mustBeOpen(event)
        yield part
      }
      return
    }
    const { maxCount = Infinity, ...bounds } = options
    checkCount(maxCount)
    let wanted = maxCount
    if (wanted === 0) return
    for await (const part of read(bounds as O)) {
      const events = part.flatMap(event => this.of(event) ?? []).slice(0, wanted)
      if (events.length > 0) yield events
      wanted -= events.length
      if (wanted === 0) return
    }
  }

  /** Types that are treated otherwise than others. */
  get namedTypes(): readonly string[] {
    return [...this.#upcasters.keys(), ...(this.#known ?? [])]
  }

  knows(type: string): boolean {
    return this.#known === null || this.#known.has(type)
  }

  /** Upcasters that an event recorded with this type may go through, and the types that may come out. */
  waysFrom(type: string): Readonly<{ upcasters: readonly Upcaster[]; types: readonly string[] }> {
    const upcasters = new Set<Upcaster>()
    const types = new Set([type])
    // What is added meanwhile is visited, too.
    for (const reached of types) {
      for (const upcaster of this.#upcasters.get(reached) ?? []) {
        upcasters.add(upcaster)
        types.add(upcaster.to ?? reached)
      }
    }
    return { upcasters: [...upcasters], types: [...types] }
  }
}

function byType(upcasters: readonly Upcaster[]): Map<string, readonly Upcaster[]> {
  const types = new Map<string, Upcaster[]>()
  for (const upcaster of upcasters) {
    const ofType = types.get(upcaster.type) ?? []
    if (ofType.some(({ from }) => from === upcaster.from)) {
      throw notUsable(upcaster, 'there are two')
    }
    types.set(upcaster.type, [...ofType, upcaster])
  }
  return types
}

const upcasterOf = (
  type: string,
  schemaVersion: number,
  upcasters: ReadonlyMap<string, readonly Upcaster[]>,
): Upcaster | undefined => upcasters.get(type)?.find(({ from }) => from === schemaVersion)

const resultOf = ({ type, from, to = type, toVersion = from + 1 }: Upcaster) => ({
  type: to,
  schemaVersion: toVersion,
})

function mustEnd(first: Upcaster, upcasters: ReadonlyMap<string, readonly Upcaster[]>): void {
  const passed = new Set<Upcaster>()
  for (let next: Upcaster | undefined = first; next; ) {
    if (passed.has(next)) throw notUsable(first, 'they lead in a circle')
    passed.add(next)
    const { type, schemaVersion } = resultOf(next)
    next = upcasterOf(type, schemaVersion, upcasters)
  }
}

function upcastBy(upcaster: Upcaster, event: RecordedEvent, recorded: RecordedEvent): RecordedEvent {
  const { type, schemaVersion } = resultOf(upcaster)
  const { metadata } = event
  try {
    const data = upcaster.upcast(event.data, metadata)
    if (data === undefined) throw new TypeError('it returned undefined')
    if (data instanceof Promise) throw new TypeError('it returned a promise; upcasters are synchronous')
    const plain = plainEvent(event)
    return { ...plain, type, data, metadata: { ...plain.metadata, schemaVersion } }
  } catch (cause) {
    const { eventId, streamName, globalPosition } = recorded.metadata
    const problem = cause instanceof Error ? cause.message : String(cause)
    throw new StoreError(
      'upcast-failed',
      `The upcaster of ${upcaster.type} version ${upcaster.from} failed at position ${globalPosition}: ${problem}`,
      { type: recorded.type, eventId, streamName, globalPosition, problem },
      { cause },
    )
  }
}

function notUsable({ type, from }: Upcaster, problem: string): StoreError {
  return new StoreError('invalid-argument', `Upcasters of ${type} version ${from}: ${problem}`, {
    type,
    from,
  })
}
