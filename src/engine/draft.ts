// Commits that are judged and linked but not yet written: the log as it will be once they are.

import { type AmendmentContent, readAmendment } from '../log/amendment.ts'
import type { StoredBlock } from '../log/block.ts'
import { BlockWriter } from '../log/block-writer.ts'
import { utf8 } from '../log/bytes.ts'
import type { CommitNote } from '../log/commit-note.ts'
import { type Entry, KIND_AMENDMENT, KIND_EVENT, KIND_SYSTEM, SALT_BYTES } from '../log/entry.ts'
import {
  batchOfEntry,
  type EntryRun,
  entryOfRun,
  hashOfRun,
  type RunStamp,
  runsOfEntries,
  type UnplacedEntry,
} from '../log/entry-run.ts'
import type { GlobalPosition, StreamVersion } from '../log/event.ts'
import { type EventBatch, payloadOf } from '../log/event-batch.ts'
import { bytesOfEventId, newEventId } from '../log/event-id.ts'
import type { HashChain } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { jsonLength } from '../log/json-column.ts'
import { fillRandom } from '../log/random-bytes.ts'
import type { KeyValues } from '../storage/log-storage.ts'
import type { PlacedEntry } from './encryption/event-contents.ts'
import { EventIdTable } from './event-id-table.ts'
import type { LogIndex } from './log-index.ts'
import type { LogReader } from './reader.ts'
import { type DraftHead, LaterHead, linkRuns, type StagedRun, UNKNOWN_HASH } from './staged-run.ts'

export type DraftParts = Readonly<{
  index: LogIndex
  reader: LogReader
  chain: HashChain
  hash: HashProvider
}>

export type SystemEntry = Readonly<{
  streamName: string
  type: string
  /** JSON text in UTF-8. */
  payload: Uint8Array
  recordedAt: number
}>

export type DraftedAmendment = Pick<AmendmentContent, 'changes'> & Readonly<{ version: StreamVersion }>

export class Draft {
  /** The log ended here when the draft was begun; it is written only if it still does. */
  readonly after: GlobalPosition
  readonly #parts: DraftParts
  #before: Draft | null
  readonly #writer: BlockWriter
  readonly #heads = new Map<string, DraftHead>()
  /** Numbers positions from 1: the first one behind `after`. */
  readonly #ids = new EventIdTable(16)
  readonly #runs: PlacedRun[] = []
  /** Indexes into the runs. */
  readonly #runsOf = new Map<string, number[]>()
  readonly #values: Record<string, Uint8Array<ArrayBuffer> | null> = {}
  #count = 0
  /** How many of the runs and entries belong to ended commits; those behind are staged. */
  #committed = { runs: 0, entries: 0 }
  /** How many of the runs are linked. The rest waits, so that many are hashed together. */
  #linked = 0
  /** Ended commits whose runs are not in a block yet, because they may wait for their hashes. */
  #unwritten: { runs: number; note: CommitNote | null }[] = []
  #written = 0
  #bytes = 0
  readonly #linkAll = (): void => this.#link()

  /** @param before a draft that is being written: this one goes on behind it */
  constructor(parts: DraftParts, before: Draft | null = null) {
    this.#parts = parts
    this.#before = before
    this.after = before ? before.nextPosition - 1 : parts.index.head
    this.#writer = new BlockWriter(parts.hash, this.after + 1)
  }

  /** What this one goes on behind is written, and known to the index. */
  forgetBefore(): void {
    this.#before = null
  }

  get nextPosition(): GlobalPosition {
    return this.after + 1 + this.#count
  }

  /** The log has grown since, by somebody else: this draft will not be written. */
  get isOvertaken(): boolean {
    return this.#before === null && this.#parts.index.head !== this.after
  }

  get isEmpty(): boolean {
    return this.#committed.runs === 0
  }

  /** Bytes of JSON added so far. */
  get bytes(): number {
    return this.#bytes
  }

  /** Side-table values that are written with the commits, or not at all. */
  get values(): KeyValues {
    return this.#values
  }

  knowsHead(streamName: string): boolean {
    return this.#heads.has(streamName)
  }

  /** As {@link head}, which must have been asked for before. */
  knownHead(streamName: string): DraftHead {
    return this.#heads.get(streamName)!
  }

  async head(streamName: string): Promise<DraftHead> {
    const known = this.#heads.get(streamName)
    if (known) return known
    const head = this.#headBefore(streamName) ?? (await this.#writtenHead(streamName))
    this.#heads.set(streamName, head)
    return head
  }

  /** By its value: a head would keep all of its draft. */
  #headBefore(streamName: string): DraftHead | undefined {
    const head = this.#before?.knownHead(streamName)
    return head && { version: head.version, hash: head.hash.slice() }
  }

  async #writtenHead(streamName: string): Promise<DraftHead> {
    const { index, reader } = this.#parts
    const hash = index.headHashOf(streamName) ?? (await reader.headHash(streamName))
    return { version: index.versionOf(streamName), hash }
  }

  /** Sets a stream back: what stands behind is superseded by this draft. */
  rewind(streamName: string, head: DraftHead): void {
    this.#heads.set(streamName, head)
  }

  /** Position of the effective event with the id at byte `offset` of `ids`, in this draft or before it. */
  positionOfId(ids: Uint8Array, offset = 0): GlobalPosition | undefined {
    const position = this.#ids.positionOf(ids, offset)
    if (position !== undefined) return this.after + position
    return (this.#before ?? this.#parts.index).positionOfId(ids, offset)
  }

  /**
   * Stages events behind the head of a stream, one behind the other. The stream's {@link head} must have been asked
   * for before.
   */
  link(streamName: string, batch: EventBatch, { kind, recordedAt, salts }: RunStamp): void {
    const before = this.knownHead(streamName)
    const run = {
      kind,
      streamName,
      firstVersion: before.version + 1,
      recordedAt,
      salts,
      batch,
      before,
      follows: null,
      previous: UNKNOWN_HASH,
      hashes: UNKNOWN_HASH,
    }
    this.#stage(run, new LaterHead(run, this.#linkAll))
  }

  /** As {@link link}. */
  linkEntry(streamName: string, entry: UnplacedEntry): void {
    const { kind, recordedAt, salt: salts } = entry
    this.link(streamName, batchOfEntry(entry), { kind, recordedAt, salts })
  }

  /** Stages entries that are linked already; that they fit their streams' heads is the caller's to know. */
  place(entries: readonly Entry[]): void {
    if (this.#linked < this.#runs.length) this.#link()
    for (const run of runsOfEntries(entries)) {
      const { streamName, firstVersion, previous, batch } = run
      const before = this.#heads.get(streamName) ?? { version: firstVersion - 1, hash: previous }
      const head = { version: firstVersion + batch.count - 1, hash: hashOfRun(run, batch.count - 1) }
      this.#stage({ ...run, before, follows: null }, head)
    }
    this.#linked = this.#runs.length
  }

  /** Ends the commit of the entries staged since the last one: only now do they count. */
  commit(note: CommitNote | null): void {
    this.#unwritten.push({ runs: this.#runs.length, note })
    this.#committed = { runs: this.#runs.length, entries: this.#count }
  }

  /** Takes back what was staged for a commit that was refused halfway. */
  discardStaged(): void {
    while (this.#runs.length > this.#committed.runs) {
      const { run } = this.#runs.pop()!
      this.#heads.set(run.streamName, run.before)
      this.#runsOf.get(run.streamName)!.pop()
      this.#bytes -= jsonBytesOf(run)
    }
    this.#linked = Math.min(this.#linked, this.#runs.length)
    if (this.#count > this.#committed.entries) this.#ids.truncate(this.#committed.entries)
    this.#count = this.#committed.entries
  }

  /** Makes it a draft that is not written. It must not be added to any more. */
  discardAll(): void {
    this.#committed = { runs: 0, entries: 0 }
  }

  /** A commit of one entry that the store writes for itself. */
  async addSystemEntry(entry: SystemEntry): Promise<void> {
    await this.head(entry.streamName)
    this.linkEntry(entry.streamName, systemEntry(entry))
    this.commit(null)
  }

  addValue(key: string, value: Uint8Array<ArrayBuffer> | null): void {
    this.#values[key] = value
  }

  /** The draft's own events of a stream from a version on, in order; null for an entry that is none, or was erased. */
  eventsOf(streamName: string, from: StreamVersion): (PlacedEntry | null)[] {
    this.#link()
    const events = this.#before?.eventsOf(streamName, from) ?? []
    for (const { run, firstPosition } of this.#placedRunsOf(streamName)) {
      for (let i = Math.max(0, from - run.firstVersion); i < run.batch.count; i++) {
        const isEvent = run.kind === KIND_EVENT
        events.push(isEvent ? { entry: entryOfRun(run, i), position: firstPosition + i } : null)
      }
    }
    return events
  }

  /** Version of the draft's first entry of a stream, or of the next one. Its head must have been asked for before. */
  firstVersionOf(streamName: string): StreamVersion {
    return this.#firstDrafted(streamName) ?? this.knownHead(streamName).version + 1
  }

  #firstDrafted(streamName: string): StreamVersion | undefined {
    const before = this.#before ? this.#before.#firstDrafted(streamName) : undefined
    return before ?? this.#placedRunsOf(streamName)[0]?.run.firstVersion
  }

  /** The draft's own amendments of a stream. */
  amendmentsOf(streamName: string): DraftedAmendment[] {
    const amendments = this.#before?.amendmentsOf(streamName) ?? []
    for (const { run } of this.#placedRunsOf(streamName)) {
      if (run.kind !== KIND_AMENDMENT) continue
      const version = run.firstVersion
      const changes = readAmendment(payloadOf(run.batch, 0), version)?.changes ?? []
      amendments.push({ version, changes })
    }
    return amendments
  }

  #placedRunsOf(streamName: string): PlacedRun[] {
    return (this.#runsOf.get(streamName) ?? []).map(index => this.#runs[index]!)
  }

  /** Position of the draft's last entry of a stream, where it has one. */
  lastPositionOf(streamName: string): GlobalPosition | undefined {
    const index = this.#runsOf.get(streamName)?.at(-1)
    if (index === undefined) return this.#before?.lastPositionOf(streamName)
    const { run, firstPosition } = this.#runs[index]!
    return firstPosition + run.batch.count - 1
  }

  entryAt(position: GlobalPosition): Entry | undefined {
    if (position <= this.after) return this.#before?.entryAt(position)
    this.#link()
    const placed = this.#runs.findLast(({ firstPosition }) => firstPosition <= position)
    if (!placed || position >= placed.firstPosition + placed.run.batch.count) return undefined
    return entryOfRun(placed.run, position - placed.firstPosition)
  }

  finish(): Promise<StoredBlock[]> {
    this.#link()
    return this.#writer.finish()
  }

  /** Hashes what waits for it, all together, and puts into blocks what is committed. */
  #link(): void {
    const waiting = this.#runs.slice(this.#linked).map(({ run }) => run)
    this.#linked = this.#runs.length
    if (waiting.length > 0) linkRuns(waiting, this.#parts.chain)
    this.#writeCommits()
  }

  #writeCommits(): void {
    for (const { runs, note } of this.#unwritten) {
      while (this.#written < runs) this.#writer.addRun(this.#runs[this.#written++]!.run)
      this.#writer.endCommit(note)
    }
    this.#unwritten = []
  }

  #stage(run: StagedRun, head: DraftHead): void {
    const { streamName, batch } = run
    const index = this.#runs.push({ run, firstPosition: this.nextPosition }) - 1
    const indexes = this.#runsOf.get(streamName)
    if (indexes) indexes.push(index)
    else this.#runsOf.set(streamName, [index])
    this.#heads.set(streamName, head)
    this.#ids.add(batch.ids)
    this.#count += batch.count
    this.#bytes += jsonBytesOf(run)
  }
}

export const systemEntry = (entry: SystemEntry): UnplacedEntry => ownEntry(KIND_SYSTEM, entry)

/** An entry that no application gave: a new id and salt, no metadata. */
export function ownEntry(
  kind: number,
  { type, payload, recordedAt }: Omit<SystemEntry, 'streamName'>,
): UnplacedEntry {
  return {
    kind,
    recordedAt,
    eventId: bytesOfEventId(newEventId()),
    salt: newSalt(),
    type,
    schemaVersion: 1,
    payload,
    metadata: EMPTY_METADATA,
  }
}

function newSalt(): Uint8Array {
  const salt = new Uint8Array(SALT_BYTES)
  fillRandom(salt)
  return salt
}

type PlacedRun = Readonly<{ run: StagedRun; firstPosition: GlobalPosition }>

const jsonBytesOf = ({ batch: { payloads, metadata } }: EntryRun): number =>
  jsonLength(payloads) + jsonLength(metadata)

const EMPTY_METADATA = utf8('{}')
