// Events on their way to the log: checked, turned to bytes once, in the form in which they cross to the worker.

import { InvalidEvent } from './errors.ts'
import type { Event, RecordedMetadata } from './event.ts'
import { bytesOfEventId, ID_BYTES, isEventId, writeNewEventId } from './event-id.ts'
import { type JsonColumn, JsonColumnWriter, jsonSlice } from './json-column.ts'
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
export function encodeEvents(events: readonly Event[]): EventBatch {
  const count = events.length
  const ids = new Uint8Array(count * ID_BYTES)
  const typeOf = new Uint32Array(count)
  const types = new TypeDictionary()
  const payloads = new JsonColumnWriter()
  const metadata = new JsonColumnWriter()
  const seen = new Set<string>()
  for (let i = 0; i < count; i++) {
    const event = events[i]!
    const path = `events[${i}]`
    const sizeBefore = payloads.length + metadata.length
    typeOf[i] = types.indexOf(event, path)
    writeId(event, path, { ids, offset: i * ID_BYTES, seen })
    payloads.addText(jsonTextOf(event.data, `${path}.data`))
    metadata.addText(metadataTextOf(event, path))
    const size = payloads.length + metadata.length - sizeBefore
    if (size > MAX_EVENT_BYTES) {
      throw new InvalidEvent(path, `${size} bytes, over the limit of ${MAX_EVENT_BYTES}`)
    }
  }
  return { count, types: types.list, typeOf, ids, payloads: payloads.finish(), metadata: metadata.finish() }
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
  if (name.length * 3 > MAX_NAME_BYTES && new TextEncoder().encode(name).length > MAX_NAME_BYTES) {
    throw new InvalidEvent(path, `longer than ${MAX_NAME_BYTES} bytes in UTF-8`)
  }
}

class TypeDictionary {
  readonly list: EventType[] = []
  readonly #index = new Map<string, number>()

  indexOf(event: Event, path: string): number {
    const schemaVersion = event.schemaVersion ?? 1
    const key = `${schemaVersion} ${event.type}`
    const known = this.#index.get(key)
    if (known !== undefined) return known
    checkName(event.type, `${path}.type`)
    if (!Number.isInteger(schemaVersion) || schemaVersion < 1 || schemaVersion > 0xffff) {
      throw new InvalidEvent(`${path}.schemaVersion`, 'a whole number from 1 to 65535 is needed')
    }
    this.#index.set(key, this.list.length)
    return this.list.push({ type: event.type, schemaVersion }) - 1
  }
}

type IdTarget = Readonly<{ ids: Uint8Array; offset: number; seen: Set<string> }>

function writeId({ id }: Event, path: string, { ids, offset, seen }: IdTarget): void {
  if (id === undefined) {
    writeNewEventId(ids, offset)
    return
  }
  if (!isEventId(id)) throw new InvalidEvent(`${path}.id`, 'not a UUID')
  const known = id.toLowerCase()
  if (seen.has(known)) throw new InvalidEvent(`${path}.id`, 'the same id stands twice in this batch')
  seen.add(known)
  ids.set(bytesOfEventId(known), offset)
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
