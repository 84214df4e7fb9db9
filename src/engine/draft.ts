// Commits that are judged and linked but not yet written: the log as it will be once they are.

import type { StoredBlock } from '../log/block.ts'
import { BlockWriter } from '../log/block-writer.ts'
import { utf8 } from '../log/bytes.ts'
import type { CommitNote } from '../log/commit-note.ts'
import type { GlobalPosition, RecordedEvent, StreamVersion } from '../log/event.ts'
import { bytesOfEventId, eventIdOf, newEventId } from '../log/event-id.ts'
import { type Entry, type HashChain, KIND_SYSTEM, SALT_BYTES, type UnlinkedEntry } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { KeyValues } from '../storage/log-storage.ts'
import type { LogIndex } from './log-index.ts'
import type { LogReader } from './reader.ts'
import { recordedEventOf } from './recorded-events.ts'
import { SYNC_FACT_TYPE, SYNC_STREAM, type SyncFact, syncFactBytes } from './sync-fact.ts'

/** Where a stream stands in the draft. */
export type DraftHead = Readonly<{ version: StreamVersion; hash: Uint8Array }>

/** What linking needs beside stream, version and previous hash. */
export type UnplacedEntry = Omit<UnlinkedEntry, 'streamName' | 'streamVersion' | 'previous'>

export type DraftParts = Readonly<{
  index: LogIndex
  reader: LogReader
  chain: HashChain
  hash: HashProvider
}>

export class Draft {
  /** The log ended here when the draft was begun; it is written only if it still does. */
  readonly after: GlobalPosition
  readonly #parts: DraftParts
  readonly #writer: BlockWriter
  readonly #heads = new Map<string, DraftHead>()
  readonly #positionOfId = new Map<string, GlobalPosition>()
  readonly #entries: Entry[] = []
  /** Indexes into the entries. */
  readonly #entriesOf = new Map<string, number[]>()
  readonly #values: Record<string, Uint8Array<ArrayBuffer> | null> = {}
  /** How many of the entries belong to ended commits; those behind are staged. */
  #committed = 0
  #bytes = 0

  constructor(parts: DraftParts) {
    this.#parts = parts
    this.after = parts.index.head
    this.#writer = new BlockWriter(parts.hash, this.after + 1)
  }

  get nextPosition(): GlobalPosition {
    return this.after + 1 + this.#entries.length
  }

  get isEmpty(): boolean {
    return this.#committed === 0
  }

  /** Bytes of JSON added so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Side-table values that are written with the commits, or not at all. */
  get values(): KeyValues {
    return this.#values
  }

  async head(streamName: string): Promise<DraftHead> {
    const known = this.#heads.get(streamName)
    if (known) return known
    const { index, reader } = this.#parts
    const hash = index.headHashOf(streamName) ?? (await reader.headHash(streamName))
    const head = { version: index.versionOf(streamName), hash }
    this.#heads.set(streamName, head)
    return head
  }

  /** Sets a stream back: what stands behind is superseded by this draft. */
  rewind(streamName: string, head: DraftHead): void {
    this.#heads.set(streamName, head)
  }

  positionOfId(id: Uint8Array): GlobalPosition | undefined {
    if (this.#positionOfId.size > 0) {
      const position = this.#positionOfId.get(eventIdOf(id))
      if (position !== undefined) return position
    }
    return this.#parts.index.positionOfId(id)
  }

  /** Links an entry to the head of its stream. The stream's {@link head} must have been asked for before. */
  link(streamName: string, unplaced: UnplacedEntry): Entry {
    const { version, hash: previous } = this.#heads.get(streamName)!
    const { kind, recordedAt, eventId, salt, type, schemaVersion, payload, metadata } = unplaced
    // One literal of one shape: spreading the parts together took longer than hashing them.
    const entry = {
      kind,
      streamName,
      streamVersion: version + 1,
      previous,
      hash: previous,
      recordedAt,
      eventId,
      salt,
      type,
      schemaVersion,
      payload,
      metadata,
    }
    entry.hash = this.#parts.chain.hashOf(entry)
    return this.place(entry)
  }

  /** Stages an entry that is linked already; that it fits its stream's head is the caller's to know. */
  place(entry: Entry): Entry {
    const position = this.nextPosition
    this.#heads.set(entry.streamName, { version: entry.streamVersion, hash: entry.hash })
    this.#positionOfId.set(eventIdOf(entry.eventId), position)
    const index = this.#entries.push(entry) - 1
    const indexes = this.#entriesOf.get(entry.streamName)
    if (indexes) indexes.push(index)
    else this.#entriesOf.set(entry.streamName, [index])
    this.#bytes += entry.payload.length + entry.metadata.length
    return entry
  }

  /** Ends the commit of the entries staged since the last one: only now do they count. */
  commit(note: CommitNote | null): void {
    for (const entry of this.#entries.slice(this.#committed)) this.#writer.add(entry)
    this.#writer.endCommit(note)
    this.#committed = this.#entries.length
  }

  /** Takes back what was staged for a commit that was refused halfway. */
  discardStaged(): void {
    while (this.#entries.length > this.#committed) {
      const { streamName, streamVersion, previous, eventId, payload, metadata } = this.#entries.pop()!
      this.#heads.set(streamName, { version: streamVersion - 1, hash: previous })
      this.#entriesOf.get(streamName)!.pop()
      this.#positionOfId.delete(eventIdOf(eventId))
      this.#bytes -= payload.length + metadata.length
    }
  }

  /** Makes it a draft that is not written. It must not be added to any more. */
  discardAll(): void {
    this.#committed = 0
  }

  async addSyncFact(fact: SyncFact, recordedAt: number): Promise<void> {
    await this.head(SYNC_STREAM)
    this.link(SYNC_STREAM, {
      kind: KIND_SYSTEM,
      recordedAt,
      eventId: bytesOfEventId(newEventId()),
      salt: crypto.getRandomValues(new Uint8Array(SALT_BYTES)),
      type: SYNC_FACT_TYPE,
      schemaVersion: 1,
      payload: syncFactBytes(fact),
      metadata: EMPTY_METADATA,
    })
    this.commit(null)
  }

  addValue(key: string, value: Uint8Array<ArrayBuffer> | null): void {
    this.#values[key] = value
  }

  /** The draft's own events of a stream from a version on, in order. */
  eventsOf(streamName: string, from: StreamVersion): RecordedEvent[] {
    const indexes = this.#entriesOf.get(streamName) ?? []
    return indexes
      .filter(index => this.#entries[index]!.streamVersion >= from)
      .map(index => recordedEventOf(this.#entries[index]!, this.after + 1 + index, 'pending'))
  }

  /** Position of the draft's last entry of a stream, where it has one. */
  lastPositionOf(streamName: string): GlobalPosition | undefined {
    const last = this.#entriesOf.get(streamName)?.at(-1)
    return last === undefined ? undefined : this.after + 1 + last
  }

  entryAt(position: GlobalPosition): Entry | undefined {
    return this.#entries[position - this.after - 1]
  }

  finish(): Promise<StoredBlock[]> {
    return this.#writer.finish()
  }
}

const EMPTY_METADATA = utf8('{}')
