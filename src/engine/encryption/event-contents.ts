// What events say, for whoever hands them to the application or folds them: read as it stands, or decrypted. A store
// without encrypted events pays one look at the metadata for it, and waits for nothing.

import type { Block } from '../../log/block.ts'
import { textOf } from '../../log/bytes.ts'
import { hasPayload, isEncrypted, keyIdIn } from '../../log/encrypted-event.ts'
import type { Entry } from '../../log/entry.ts'
import { StoreError } from '../../log/errors.ts'
import type { EventStatus, GlobalPosition, RecordedEvent } from '../../log/event.ts'
import { RESERVED_METADATA, type StoredMetadata } from '../../log/event-batch.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { jsonSlice } from '../../log/json-column.ts'
import { MAX_JSON_DEPTH, nestsTooDeep } from '../../log/json-text.ts'
import {
  contentOfJson,
  type EventContent,
  eventInBlock,
  recordedEventOf,
  recordedEventsOf,
  storedMetadataOf,
  unopened,
} from '../recorded-events.ts'
import type { EventCipher, Opened, SealedEvent } from './event-cipher.ts'
import { type FoundKey, missingKey } from './key-ring.ts'

/** Events whose key is not here: passed by as if they were erased, or refused. */
export type Missing = 'pass' | 'refuse'

export type EventContentsParts = Readonly<{
  cipher: EventCipher
  /** Told of keys under which events are about to be passed by. Waited for. */
  onMissing: (keyIds: ReadonlySet<string>) => Promise<void>
}>

/** An entry and the position that it has, or will have. */
export type PlacedEntry = Readonly<{ entry: Entry; position: GlobalPosition }>

export class EventContents {
  readonly cipher: EventCipher
  readonly #onMissing: EventContentsParts['onMissing']
  /** Plaintext by index in the block: as long as the block is kept. */
  #opened = new WeakMap<Block, Map<number, string>>()

  constructor({ cipher, onMissing }: EventContentsParts) {
    this.cipher = cipher
    this.#onMissing = onMissing
  }

  /** Nothing that was decrypted so far is given out any more. */
  forget(): void {
    this.#opened = new WeakMap()
  }

  /**
   * The events of entries at these indexes of a block, but for those that cannot be read. One that does not decrypt comes
   * {@link unopened}.
   *
   * @throws `StoreError` `key-missing` where that is refused
   */
  eventsIn(
    block: Block,
    indexes: readonly number[],
    confirmedThrough: GlobalPosition,
    missing: Missing = 'pass',
  ): RecordedEvent[] | Promise<RecordedEvent[]> {
    const stored = storedMetadataOf(block, indexes)
    if (!stored.some(isEncrypted)) return recordedEventsOf(block, indexes, stored, confirmedThrough)
    return this.#decryptedIn(block, indexes, stored, { confirmedThrough, missing })
  }

  async #decryptedIn(
    block: Block,
    indexes: readonly number[],
    stored: readonly StoredMetadata[],
    { confirmedThrough, missing }: Readonly<{ confirmedThrough: GlobalPosition; missing: Missing }>,
  ): Promise<RecordedEvent[]> {
    const find = this.#finder()
    const contents = await Promise.all(
      indexes.map((i, n) =>
        isEncrypted(stored[n]!)
          ? this.#contentIn(block, i, stored[n]!, find)
          : { data: JSON.parse(textOf(jsonSlice(block.payloads, i))), stored: stored[n]! },
      ),
    )
    const events: RecordedEvent[] = []
    const passed = new Set<string>()
    for (const [n, i] of indexes.entries()) {
      const content = contents[n]!
      if ('data' in content) events.push(eventInBlock(block, i, content, confirmedThrough))
      else if (content.state === 'failed') {
        events.push(unopened(eventInBlock(block, i, NOTHING, confirmedThrough), content.error))
      } else if (content.state === 'missing') {
        if (missing === 'refuse') throw refusalIn(block, i, content.keyId)
        passed.add(content.keyId)
      }
    }
    if (passed.size > 0) await this.#onMissing(passed)
    return events
  }

  /**
   * The events of entries that are on their way into the log, in order: null for what is none, or was erased, or encrypted
   * with a key that was destroyed.
   *
   * @throws `StoreError` `key-missing`: who decides never does so upon half of a history
   */
  async eventsOf(
    entries: readonly (PlacedEntry | null)[],
    status: EventStatus,
  ): Promise<(RecordedEvent | null)[]> {
    const find = this.#finder()
    return Promise.all(entries.map(placed => placed && this.#eventOf(placed, status, find)))
  }

  async #eventOf(
    { entry, position }: PlacedEntry,
    status: EventStatus,
    find: (keyId: string) => FoundKey | Promise<FoundKey>,
  ): Promise<RecordedEvent | null> {
    const metadata = JSON.parse(textOf(entry.metadata)) as StoredMetadata
    if (!isEncrypted(metadata)) {
      return recordedEventOf(entry, contentOfJson(entry.payload, entry.metadata), position, status)
    }
    const content = contentFrom(await this.#open({ ...entry, metadata }, find), entry)
    if ('data' in content) return recordedEventOf(entry, content, position, status)
    if (content.state === 'failed') {
      return unopened(recordedEventOf(entry, NOTHING, position, status), content.error)
    }
    if (content.state === 'destroyed') return null
    const { streamName, eventId } = entry
    throw missingKey(content.keyId, { streamName, eventId: eventIdOf(eventId) })
  }

  /**
   * Whether an encrypted entry says the same as a payload in clear; null for one that is not encrypted. What was encrypted
   * with a key that was destroyed, nobody can compare with: it counts as the same.
   *
   * @throws `StoreError` `key-missing`, `decryption-failed`
   */
  async hasPayload(entry: Entry, payload: Uint8Array): Promise<boolean | null> {
    const metadata = JSON.parse(textOf(entry.metadata)) as StoredMetadata
    if (!isEncrypted(metadata)) return null
    const opened = await this.cipher.open({ ...entry, metadata })
    if (opened.state === 'missing') throw missingKey(opened.keyId, { streamName: entry.streamName })
    if (opened.state === 'failed') throw opened.error
    return opened.state !== 'open' || hasPayload(opened.plaintext, payload)
  }

  /** What an encrypted event says, null where it cannot be read. */
  async contentOf(event: SealedEvent): Promise<EventContent | null> {
    const content = contentFrom(await this.cipher.open(event), event)
    return 'data' in content ? content : null
  }

  /** Finds each key once, however often it is asked for. */
  #finder(): (keyId: string) => FoundKey | Promise<FoundKey> {
    const found = new Map<string, FoundKey | Promise<FoundKey>>()
    return keyId => {
      const known = found.get(keyId) ?? this.cipher.ring.find(keyId)
      found.set(keyId, known)
      return known
    }
  }

  async #contentIn(
    block: Block,
    i: number,
    metadata: StoredMetadata,
    find: (keyId: string) => FoundKey | Promise<FoundKey>,
  ): Promise<EventContent | Unreadable> {
    const known = this.#opened.get(block)?.get(i)
    if (known !== undefined) return parsed(known)
    const kept = this.#opened
    const event = { ...block.entry(i), metadata }
    const opened = await this.#open(event, find)
    const content = contentFrom(opened, event)
    // What was forgotten meanwhile must not be kept.
    if (opened.state === 'open' && 'data' in content && kept === this.#opened) {
      const texts = kept.get(block) ?? new Map<number, string>()
      kept.set(block, texts.set(i, textOf(opened.plaintext)))
    }
    return content
  }

  async #open(event: SealedEvent, find: (keyId: string) => FoundKey | Promise<FoundKey>): Promise<Opened> {
    const keyId = keyIdIn(event.metadata)
    if (keyId === null) return this.cipher.open(event)
    const found = await find(keyId)
    return typeof found === 'string' ? { state: found, keyId } : this.cipher.openWith(found, keyId, event)
  }
}

type Unreadable = Exclude<Opened, { state: 'open' }>

const NOTHING: EventContent = { data: undefined, stored: {} }

const parsed = (text: string): EventContent => {
  const [data, stored] = JSON.parse(text) as [unknown, StoredMetadata]
  return { data, stored }
}

/** Who has the key has been trusted with it, but not with the log's own names: what an append refuses is refused here. */
function contentFrom(opened: Opened, { eventId, streamName, type }: SealedEvent): EventContent | Unreadable {
  if (opened.state !== 'open') return opened
  const content = contentIn(opened.plaintext)
  if (content) return content
  const facts = { eventId: eventIdOf(eventId), streamName, type, problem: 'what was encrypted is no event' }
  const error = new StoreError('decryption-failed', `Event ${facts.eventId}: ${facts.problem}`, facts)
  return { state: 'failed', error }
}

function contentIn(plaintext: Uint8Array): EventContent | null {
  // An application's metadata stand two levels deeper than they were given.
  if (nestsTooDeep(plaintext, MAX_JSON_DEPTH + 2)) return null
  let value: unknown
  try {
    value = JSON.parse(textOf(plaintext))
  } catch {
    return null
  }
  return Array.isArray(value) && value.length === 2 && isStoredMetadata(value[1])
    ? { data: value[0], stored: value[1] }
    : null
}

function isStoredMetadata(value: unknown): value is StoredMetadata {
  if (!isObject(value)) return false
  const { tags = [], metadata = {}, ...rest } = value as Record<string, unknown>
  return (
    Object.keys(rest).length === 0 &&
    Array.isArray(tags) &&
    tags.every(tag => typeof tag === 'string') &&
    isObject(metadata) &&
    !RESERVED_METADATA.some(name => Object.hasOwn(metadata, name))
  )
}

const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function refusalIn(block: Block, i: number, keyId: string): StoreError {
  const [streamName, eventId] = [block.streamNameOf(i), eventIdOf(block.idOf(i))]
  return missingKey(keyId, { streamName, eventId, position: block.firstPosition + i })
}
