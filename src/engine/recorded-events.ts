// Turns entries of a block back into the events an application reads.

import type { Block } from '../log/block.ts'
import { hexOf, textOf } from '../log/bytes.ts'
import type { Entry } from '../log/entry.ts'
import type { StoreError } from '../log/errors.ts'
import type { EventStatus, GlobalPosition, Hash, RecordedEvent, RecordedMetadata } from '../log/event.ts'
import type { StoredMetadata } from '../log/event-batch.ts'
import { eventIdOf } from '../log/event-id.ts'
import { type JsonColumn, jsonSlice } from '../log/json-column.ts'

const NO_TAGS: readonly string[] = Object.freeze([])

/** What an event says, whether it stood in clear or was decrypted. */
export type EventContent = Readonly<{ data: unknown; stored: StoredMetadata }>

/** Metadata of the entries at these indexes of a block, as they are stored. */
export const storedMetadataOf = (block: Block, indexes: readonly number[]): StoredMetadata[] =>
  parseColumn(block.metadata, indexes) as StoredMetadata[]

/** Events of the entries at these indexes of a block, each with data of its own. */
export function recordedEventsOf(
  block: Block,
  indexes: readonly number[],
  stored: readonly StoredMetadata[],
  confirmedThrough: GlobalPosition,
): RecordedEvent[] {
  const payloads = parseColumn(block.payloads, indexes)
  return indexes.map((i, n) =>
    eventInBlock(block, i, { data: payloads[n], stored: stored[n]! }, confirmedThrough),
  )
}

/** The event of entry i of a block, which says this. */
export function eventInBlock(
  block: Block,
  i: number,
  content: EventContent,
  confirmedThrough: GlobalPosition,
): RecordedEvent {
  const metadata = new BlockMetadata(block, i, block.firstPosition + i <= confirmedThrough)
  return eventFrom(block.types[block.typeOf[i]!]!.type, content, metadata)
}

/** Content that stands in clear. */
export const contentOfJson = (payload: Uint8Array, metadata: Uint8Array): EventContent => ({
  data: JSON.parse(textOf(payload)),
  stored: JSON.parse(textOf(metadata)) as StoredMetadata,
})

/** The event of an entry that stands, or will stand, at a position. */
export function recordedEventOf(
  entry: Entry,
  content: EventContent,
  globalPosition: GlobalPosition,
  status: EventStatus,
): RecordedEvent {
  const metadata: RecordedMetadata = {
    eventId: eventIdOf(entry.eventId),
    streamName: entry.streamName,
    streamVersion: entry.streamVersion,
    globalPosition,
    recordedAt: entry.recordedAt,
    schemaVersion: entry.schemaVersion,
    status,
    previousHash: hexOf(entry.previous) as Hash,
    hash: hexOf(entry.hash) as Hash,
  }
  return eventFrom(entry.type, content, metadata)
}

/** Why an event cannot be handed on, where it cannot. */
const UNOPENED = Symbol('unopened')

/** An event whose content is not known: whoever wants to hand it on is given the error, see {@link mustBeOpen}. */
export function unopened(event: RecordedEvent, error: StoreError): RecordedEvent {
  return Object.defineProperty({ ...event }, UNOPENED, { value: error })
}

/** @throws the error of one that is {@link unopened} */
export function mustBeOpen(event: RecordedEvent): void {
  const error = (event as { [UNOPENED]?: StoreError })[UNOPENED]
  if (error) throw error
}

/** The same event as plain data: what crosses ports, prints and compares. */
export function plainEvent<E extends RecordedEvent>(event: E): E {
  const { metadata } = event
  if (!(metadata instanceof BlockMetadata)) return event
  return { ...event, metadata: { ...plainMetadata(metadata), ...metadata } }
}

function eventFrom(
  type: string,
  { data, stored: { tags, metadata: custom } }: EventContent,
  metadata: RecordedMetadata,
): RecordedEvent {
  return { type, data, tags: tags ?? NO_TAGS, metadata: custom ? withCustom(metadata, custom) : metadata }
}

/** An append refuses the log's own names, so nothing is hidden here. Defined, not set: `__proto__` is a name, too. */
function withCustom(metadata: RecordedMetadata, custom: object): RecordedMetadata {
  for (const [key, value] of Object.entries(custom)) {
    Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true })
  }
  return metadata
}

function parseColumn(column: JsonColumn, indexes: readonly number[]): unknown[] {
  // One parse of the whole array beats many small ones as soon as a good part of it is wanted.
  if (indexes.length * 4 > column.ends.length) {
    const all = JSON.parse(textOf(column.bytes)) as unknown[]
    return indexes.map(i => all[i])
  }
  return indexes.map(i => JSON.parse(textOf(jsonSlice(column, i))))
}

/**
 * Metadata that is read from the block only when asked for: most handlers never look, and the hexadecimal text
 * of two hashes costs more than the event itself.
 */
class BlockMetadata implements RecordedMetadata {
  readonly #block: Block
  readonly #index: number
  readonly #isConfirmed: boolean

  constructor(block: Block, index: number, isConfirmed: boolean) {
    this.#block = block
    this.#index = index
    this.#isConfirmed = isConfirmed
  }

  get eventId(): string {
    return eventIdOf(this.#block.idOf(this.#index))
  }

  get streamName(): string {
    return this.#block.streamNameOf(this.#index)
  }

  get streamVersion(): number {
    return this.#block.versions[this.#index]!
  }

  get globalPosition(): GlobalPosition {
    return this.#block.firstPosition + this.#index
  }

  get recordedAt(): number {
    return this.#block.recordedAt[this.#index]!
  }

  get schemaVersion(): number {
    return this.#block.types[this.#block.typeOf[this.#index]!]!.schemaVersion
  }

  get status(): EventStatus {
    return this.#isConfirmed ? 'confirmed' : 'pending'
  }

  get previousHash(): Hash {
    return hexOf(this.#block.previousOf(this.#index)) as Hash
  }

  get hash(): Hash {
    return hexOf(this.#block.hashOf(this.#index)) as Hash
  }
}

function plainMetadata(metadata: RecordedMetadata): RecordedMetadata {
  const { eventId, streamName, streamVersion, globalPosition, recordedAt } = metadata
  const { schemaVersion, status, previousHash, hash } = metadata
  return {
    eventId,
    streamName,
    streamVersion,
    globalPosition,
    recordedAt,
    schemaVersion,
    status,
    previousHash,
    hash,
  }
}
