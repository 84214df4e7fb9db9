// Events on their way to the log: checked, turned to bytes once, in the form in which they cross to the worker.

import { utf8Length } from './bytes.ts'
import { InvalidEvent } from './errors.ts'
import type { Event, RecordedMetadata } from './event.ts'
import { ID_BYTES, writeEventId, writeNewEventId } from './event-id.ts'
import { type JsonColumn, jsonColumnOfTexts, jsonPart, jsonSlice, type OwnColumn } from './json-column.ts'
import { jsonTextOf } from './json-text.ts'

/** Most bytes of payload and metadata that one event may have. */
export const MAX_EVENT_BYTES = 1024 * 1024
/** Most bytes that one atomic append may have, so that every commit fits into one push. */
export const MAX_COMMIT_BYTES = 8 * 1024 * 1024
/** Longest stream name or event type, in UTF-8 bytes. */
export const MAX_NAME_BYTES = 1024

export type EventType = Readonly<{ type: string; schemaVersion: number }>

/** Events in columns. `typeOf[i]` points into `types`; ids are 16 bytes each. */
export type EventBatch = Readonly<{
  count: number
  types: readonly EventType[]
  typeOf: Uint32Array
  ids: Uint8Array
  payloads: JsonColumn
  metadata: JsonColumn
}>

/** A batch in memory of its own, which may be transferred to another thread. */
export type OwnBatch = EventBatch &
  Readonly<{
    typeOf: Uint32Array<ArrayBuffer>
    ids: Uint8Array<ArrayBuffer>
    payloads: OwnColumn
    metadata: OwnColumn
  }>

/** What the log says of an event; an application's metadata cannot use these names. */
export const RESERVED_METADATA = [
  'eventId',
  'streamName',
  'streamVersion',
  'globalPosition',
  'recordedAt',
  'schemaVersion',
  'status',
  'previousHash',
  'hash',
] as const satisfies readonly (keyof RecordedMetadata)[]

/** Metadata as it is stored and hashed. */
export type StoredMetadata = { tags?: readonly string[]; metadata?: object }

/**
 * @throws {@link InvalidEvent} with the path of the first value that the log cannot carry. Nothing is written
 * of a batch that has one.
 */
export function encodeEvents(events: readonly Event[]): OwnBatch {
  const collector = new TextCollector()
  collector.addAll(events)
  return collector.toBatch()
}

/** Events `from` to `from + count - 1` of a batch, as views. */
export function partOfBatch(batch: EventBatch, from: number, count: number): EventBatch {
  if (count === batch.count) return batch
  const to = from + count
  return {
    count,
    types: batch.types,
    typeOf: batch.typeOf.subarray(from, to),
    ids: batch.ids.subarray(from * ID_BYTES, to * ID_BYTES),
    payloads: jsonPart(batch.payloads, from, to),
    metadata: jsonPart(batch.metadata, from, to),
  }
}

/** The exact payload and metadata bytes of event i, as views. */
export function payloadOf(batch: EventBatch, i: number): Uint8Array {
  return jsonSlice(batch.payloads, i)
}

export function metadataOf(batch: EventBatch, i: number): Uint8Array {
  return jsonSlice(batch.metadata, i)
}

export function idOf(batch: EventBatch, i: number): Uint8Array {
  return batch.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
}

/** @throws {@link InvalidEvent} for a name that is empty, too long or not well-formed text. */
export function checkName(name: unknown, path: string): asserts name is string {
  if (typeof name !== 'string' || name === '')
    throw new InvalidEvent(path, 'a name that is not empty is needed')
  if (!name.isWellFormed()) throw new InvalidEvent(path, 'the text has a lone surrogate')
  // SQL databases have no such character in their texts.
  if (name.includes('\0')) throw new InvalidEvent(path, 'the text has a U+0000')
  // A UTF-16 unit takes three bytes at most, so short names need no count.
  if (name.length * 3 > MAX_NAME_BYTES && utf8Length(name) > MAX_NAME_BYTES) {
    throw new InvalidEvent(path, `longer than ${MAX_NAME_BYTES} bytes in UTF-8`)
  }
}

/**
 * Collects the events of one append after the other, checked, as JSON texts: so those of many appends are turned to
 * bytes together, and those of a large one can be taken in with pauses.
 */
export class TextCollector {
  #ids = new Uint8Array(64 * ID_BYTES)
  readonly #typeOf: number[] = []
  readonly #payloads: string[] = []
  readonly #metadata: string[] = []
  readonly #types = new TypeDictionary()
  #chars = 0
  /** The first event of the append that is being taken in, and the ids that the application gave in it. */
  #first = 0
  readonly #given = new Set<string>()

  get count(): number {
    return this.#typeOf.length
  }

  /** About how much text it holds. */
  get chars(): number {
    return this.#chars
  }

  /** All events of an append. @throws {@link InvalidEvent}, with some of them taken in. */
  addAll(events: readonly Event[]): void {
    this.begin(events.length)
    for (const event of events) this.add(event)
  }

  /** The next events belong to another append. */
  begin(count: number): void {
    this.#first = this.count
    if (this.#given.size > 0) this.#given.clear()
    this.#reserve(this.count + count)
  }

  /** @throws {@link InvalidEvent} */
  add(event: Event): void {
    const path = `events[${this.count - this.#first}]`
    const type = this.#typeIndexOf(event, path)
    this.#writeId(event, path)
    const payload = jsonTextOf(event.data, `${path}.data`)
    const metadata = metadataTextOf(event, path)
    checkSize(payload, metadata, path)
    this.#payloads.push(payload)
    this.#metadata.push(metadata)
    this.#typeOf.push(type)
    this.#chars += payload.length + metadata.length
  }

  /** Forgets all but the first `count` events. */
  truncate(count: number): void {
    for (let i = count; i < this.count; i++)
      this.#chars -= this.#payloads[i]!.length + this.#metadata[i]!.length
    this.#typeOf.length = this.#payloads.length = this.#metadata.length = count
  }

  /** The id of event i, as a view. */
  idOf(i: number): Uint8Array {
    return this.#ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES)
  }

  toBatch(): OwnBatch {
    return {
      count: this.count,
      types: this.#types.list,
      typeOf: Uint32Array.from(this.#typeOf),
      ids: this.#ids.slice(0, this.count * ID_BYTES),
      payloads: jsonColumnOfTexts(this.#payloads),
      metadata: jsonColumnOfTexts(this.#metadata),
    }
  }

  #typeIndexOf({ type, schemaVersion = 1 }: Event, path: string): number {
    const known = this.#types.find(type, schemaVersion)
    if (known !== undefined) return known
    checkName(type, `${path}.type`)
    if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > 0xffff) {
      throw new InvalidEvent(`${path}.schemaVersion`, 'a whole number from 1 to 65535 is needed')
    }
    return this.#types.indexOf({ type, schemaVersion })
  }

  #writeId({ id }: Event, path: string): void {
    const offset = this.count * ID_BYTES
    if (id === undefined) {
      writeNewEventId(this.#ids, offset)
      return
    }
    if (!writeEventId(id, this.#ids, offset)) throw new InvalidEvent(`${path}.id`, 'not a UUID')
    const known = id.toLowerCase()
    if (this.#given.has(known)) throw new InvalidEvent(`${path}.id`, 'the same id stands twice in this batch')
    this.#given.add(known)
  }

  #reserve(count: number): void {
    if (count * ID_BYTES <= this.#ids.length) return
    const grown = new Uint8Array(Math.max(count * ID_BYTES, this.#ids.length * 2))
    grown.set(this.#ids)
    this.#ids = grown
  }
}

class TypeDictionary {
  readonly list: EventType[] = []
  readonly #index = new Map<string, number>()

  find(type: string, schemaVersion: number): number | undefined {
    return this.#index.get(`${schemaVersion} ${type}`)
  }

  indexOf({ type, schemaVersion }: EventType): number {
    const known = this.find(type, schemaVersion)
    if (known !== undefined) return known
    this.#index.set(`${schemaVersion} ${type}`, this.list.length)
    return this.list.push({ type, schemaVersion }) - 1
  }
}

/** The types of events as a batch has them. */
export function typeColumnOf(events: readonly EventType[]): Pick<EventBatch, 'types' | 'typeOf'> {
  const types = new TypeDictionary()
  const typeOf = new Uint32Array(events.length)
  for (let i = 0; i < events.length; i++) typeOf[i] = types.indexOf(events[i]!)
  return { types: types.list, typeOf }
}

function checkSize(payload: string, metadata: string, path: string): void {
  // A UTF-16 unit takes three bytes at most, so most events need no count.
  if ((payload.length + metadata.length) * 3 <= MAX_EVENT_BYTES) return
  const size = utf8Length(payload) + utf8Length(metadata)
  if (size > MAX_EVENT_BYTES) {
    throw new InvalidEvent(path, `${size} bytes, over the limit of ${MAX_EVENT_BYTES}`)
  }
}

function metadataTextOf(event: Event, path: string): string {
  if (!event.tags?.length && event.metadata === undefined) return '{}'
  const stored: StoredMetadata = {}
  if (event.tags?.length) {
    for (const [i, tag] of event.tags.entries()) checkName(tag, `${path}.tags[${i}]`)
    stored.tags = event.tags
  }
  if (event.metadata !== undefined) {
    if (typeof event.metadata !== 'object' || event.metadata === null || Array.isArray(event.metadata)) {
      throw new InvalidEvent(`${path}.metadata`, 'an object is needed')
    }
    const reserved = RESERVED_METADATA.find(key => Object.hasOwn(event.metadata!, key))
    if (reserved) throw new InvalidEvent(`${path}.metadata.${reserved}`, 'the log sets this itself')
    jsonTextOf(event.metadata, `${path}.metadata`)
    stored.metadata = event.metadata
  }
  return JSON.stringify(stored)
}
