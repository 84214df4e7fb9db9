// Reads a log that is damaged, and takes out of it what the server may not have: pending commits whose entries still
// have the hashes that they were recorded with, and what can be read of those of which some is lost.

import { newVersionIn, readAmendment } from '../../log/amendment.ts'
import type { Block, StoredBlock } from '../../log/block.ts'
import { type CommitNote, isInPart } from '../../log/commit-note.ts'
import { type Entry, KIND_AMENDMENT, KIND_SYSTEM } from '../../log/entry.ts'
import type { GlobalPosition } from '../../log/event.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { Verdict } from '../../model/integrity-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { READ_BYTES } from '../read-ahead.ts'
import { readSyncFact, SYNC_STREAM } from '../sync-fact.ts'
import { endsWithCommit, inspectBlock } from './inspect-block.ts'

export type SalvagedCommit = Readonly<{
  entries: readonly Entry[]
  note: CommitNote | null
  firstPosition: GlobalPosition
}>

/**
 * A pending commit that can be read and is not to be taken over: one `in-part`, of which other entries are lost, or may
 * be; or one as it was before a rebase, where what took it up again is lost.
 */
export type SetAsideCommit = SalvagedCommit & Readonly<{ why: 'in-part' | 'taken-up-again' }>

export type Salvage = Readonly<{
  /** Whole commits, in order, no event twice. */
  pending: readonly SalvagedCommit[]
  setAside: readonly SetAsideCommit[]
  /** As they are stored: blocks with anything in them that does not hold, and those that hold a commit in part. */
  quarantine: readonly StoredBlock[]
  /** Entries that cannot be read, or are not there. */
  lost: number
  /** As far as they are there. */
  lostBytes: number
  /** How many of them the server may not have. */
  lostUnsynced: number
  /** The first of them; null where nothing is lost. */
  firstLost: GlobalPosition | null
}>

/** @param end where the log is known to have ended, if that is more than there is */
export async function salvage(
  storage: LogStorage,
  hash: HashProvider,
  end: GlobalPosition = 0,
): Promise<Salvage> {
  const parts = { hash, chain: new HashChain(hash) }
  const reader = new SalvageReader(parts, await confirmedAtEnd(storage, parts))
  for await (const stored of blocksOf(storage)) await reader.take(stored)
  return reader.finish(Math.max(await storage.head(), end))
}

async function* blocksOf(storage: LogStorage): AsyncGenerator<StoredBlock> {
  const head = await storage.head()
  for (let next = 1; next <= head; ) {
    const blocks = await storage.read({ from: next, maxBytes: READ_BYTES })
    yield* blocks
    if (blocks.length === 0) break
    next = blocks.at(-1)!.lastPosition + 1
  }
}

/** Read beforehand: what the server is known to have had, and has not any more, is to be kept. */
async function confirmedAtEnd(storage: LogStorage, parts: InspectParts): Promise<GlobalPosition> {
  let confirmed = 0
  for await (const stored of blocksOf(storage)) {
    const { block, lost } = await inspectBlock(stored, parts)
    const unreadable = new Set(lost)
    for (let i = 0; block && i < block.count; i++) {
      if (block.kinds[i] !== KIND_SYSTEM || block.streamNameOf(i) !== SYNC_STREAM) continue
      const position = block.firstPosition + i
      if (!unreadable.has(position))
        confirmed = readSyncFact(block.entry(i).payload, position).confirmedThrough
    }
  }
  return confirmed
}

type InspectParts = Readonly<{ hash: HashProvider; chain: HashChain }>

/** What is lost, and what can be read of commits that it may have been a part of: those are not in the log any more. */
export function atRiskIn({ setAside, lost, lostUnsynced, lostBytes }: Salvage): Verdict['atRisk'] {
  // What a rebase took up again is counted where that is lost.
  const entries = setAside.filter(({ why }) => why === 'in-part').flatMap(one => one.entries)
  const bytes = entries.reduce(
    (sum, { payload, metadata }) => sum + payload.length + metadata.length,
    lostBytes,
  )
  return { events: lost + entries.length, unsynced: lostUnsynced + entries.length, bytes }
}

type OpenCommit = {
  /** Those that can be read. */
  readonly entries: Entry[]
  /** Of the first of them. */
  firstPosition: GlobalPosition
  readonly blocks: Set<StoredBlock>
  /** False where an entry of it is lost, or it may have begun among what is. */
  isWhole: boolean
}

type CommitInPart = SetAsideCommit & Readonly<{ blocks: ReadonlySet<StoredBlock> }>
type SupersededCommit = SetAsideCommit & Readonly<{ supersededAt: GlobalPosition }>

class SalvageReader {
  readonly #parts: InspectParts
  #pending: SalvagedCommit[] = []
  #inPart: CommitInPart[] = []
  /** By the id of the first event: those that were not found again behind the rebase. */
  readonly #superseded = new Map<string, SupersededCommit>()
  readonly #damaged: StoredBlock[] = []
  /** Positions of what is lost. */
  readonly #lost: GlobalPosition[] = []
  #lostBytes = 0
  readonly #confirmedAtEnd: GlobalPosition
  #confirmedThrough: GlobalPosition = 0
  /** What stands up to here has been seen by others: it is not decided again. */
  #confirmedOnce: GlobalPosition = 0
  #next: GlobalPosition = 1
  /** It may go on in the next block. */
  #open = openCommit(true)

  /** @param confirmedAtEnd what the last note of sync says that the server has */
  constructor(parts: InspectParts, confirmedAtEnd: GlobalPosition) {
    this.#parts = parts
    this.#confirmedAtEnd = confirmedAtEnd
  }

  async take(stored: StoredBlock): Promise<void> {
    this.#loseUpTo(stored.firstPosition - 1, false)
    const { block, lost, lostBytes, isSound } = await inspectBlock(stored, this.#parts)
    if (block) this.#takeEntries(block, new Set(lost), stored)
    else this.#loseUpTo(stored.lastPosition, endsWithCommit(stored))
    this.#lostBytes += lostBytes
    if (!isSound) this.#damaged.push(stored)
  }

  finish(end: GlobalPosition): Salvage {
    this.#loseUpTo(end, false)
    // A log that ends within a commit has lost its end.
    this.#setAside(null)
    const ids = new Set<string>()
    const pending = latestOf(this.#pending, ids).map(commit =>
      commit.firstPosition <= this.#confirmedOnce && !isInPart(commit.note)
        ? { ...commit, note: null }
        : commit,
    )
    const superseded = latestOf(this.#lostAgain(), ids)
    const inPart = unknownOf(this.#inPart, ids)
    const blocks = new Set([...this.#damaged, ...inPart.flatMap(({ blocks }) => [...blocks])])
    return {
      pending,
      setAside: [...superseded, ...inPart],
      quarantine: [...blocks].sort((a, b) => a.firstPosition - b.firstPosition),
      lost: this.#lost.length,
      lostBytes: this.#lostBytes,
      lostUnsynced: this.#lost.filter(position => position > this.#confirmedThrough).length,
      firstLost: this.#lost[0] ?? null,
    }
  }

  /** Where nothing is lost of what is pending, the others were rejected. */
  #lostAgain(): SupersededCommit[] {
    const lastLost = this.#lost.at(-1) ?? 0
    if (lastLost <= this.#confirmedThrough) return []
    return [...this.#superseded.values()].filter(({ supersededAt }) => supersededAt < lastLost)
  }

  #takeEntries(block: Block, lost: ReadonlySet<GlobalPosition>, stored: StoredBlock): void {
    let commit = 0
    for (let i = Math.max(0, this.#next - block.firstPosition); i < block.count; i++) {
      const position = block.firstPosition + i
      if (lost.has(position)) {
        this.#lost.push(position)
        this.#open.isWhole = false
      } else this.#takeEntry(block.entry(i), position, stored)
      while (commit < block.commits.length && block.commits[commit]!.lastIndex < i) commit++
      const end = block.commits[commit]
      if (end?.lastIndex === i) this.#endCommit(end.note)
    }
    this.#next = block.lastPosition + 1
  }

  #takeEntry(entry: Entry, position: GlobalPosition, stored: StoredBlock): void {
    if (entry.kind === KIND_SYSTEM) {
      // It is always written alone, whatever a damaged block says of where commits end.
      this.#setAside(null)
      if (entry.streamName === SYNC_STREAM) this.#applyFact(entry, position)
      return
    }
    const { entries, blocks } = this.#open
    if (entries.length === 0) this.#open.firstPosition = position
    entries.push(copyOf(entry))
    blocks.add(stored)
  }

  #endCommit(note: CommitNote | null): void {
    const { entries, firstPosition, isWhole } = this.#open
    if (!isWhole && !isWholeAmendment(entries)) {
      this.#setAside(note)
      return
    }
    this.#open = openCommit(true)
    for (const { eventId } of entries) this.#superseded.delete(eventIdOf(eventId))
    // Where nothing was read, the position is 0.
    if (this.#mayBePending(firstPosition)) this.#pending.push({ entries, note, firstPosition })
  }

  #applyFact(entry: Entry, position: GlobalPosition): void {
    const { confirmedThrough, supersededFrom } = readSyncFact(entry.payload, position)
    const superseded = supersededFrom ?? Number.POSITIVE_INFINITY
    for (const commit of [...this.#pending, ...this.#inPart]) {
      // They follow again behind the position, or were rejected.
      if (commit.firstPosition >= superseded) this.#supersede(commit, position)
    }
    this.#confirmedThrough = confirmedThrough
    this.#confirmedOnce = Math.max(this.#confirmedOnce, confirmedThrough)
    const isPending = ({ firstPosition }: SalvagedCommit): boolean =>
      this.#mayBePending(firstPosition) && firstPosition < superseded
    this.#pending = this.#pending.filter(isPending)
    this.#inPart = this.#inPart.filter(isPending)
  }

  /** A server that was restored does not have all that it had confirmed: what it has at the end counts. */
  #mayBePending(position: GlobalPosition): boolean {
    return position > Math.min(this.#confirmedThrough, this.#confirmedAtEnd)
  }

  #supersede(commit: SalvagedCommit, position: GlobalPosition): void {
    const id = eventIdOf(commit.entries[0]!.eventId)
    this.#superseded.set(id, { why: 'taken-up-again', ...commit, supersededAt: position })
  }

  /** @param isCommitEnd whether it is known that a commit ended with the last of what is lost */
  #loseUpTo(position: GlobalPosition, isCommitEnd: boolean): void {
    if (this.#next > position) return
    for (; this.#next <= position; this.#next++) this.#lost.push(this.#next)
    this.#setAside(null)
    this.#open.isWhole = isCommitEnd
  }

  /** What was read of a commit that is not whole. */
  #setAside(note: CommitNote | null): void {
    const { entries, firstPosition, blocks } = this.#open
    this.#open = openCommit(true)
    if (!this.#mayBePending(firstPosition)) return
    this.#inPart.push({ entries, note, firstPosition, blocks, why: 'in-part' })
  }
}

const openCommit = (isWhole: boolean): OpenCommit => ({
  entries: [],
  firstPosition: 0,
  blocks: new Set(),
  isWhole,
})

/** An amendment stands right behind the events that it puts in: a commit that ends with it has no others. */
function isWholeAmendment(entries: readonly Entry[]): boolean {
  const last = entries.at(-1)
  if (last?.kind !== KIND_AMENDMENT) return false
  const content = readAmendment(last.payload, last.streamVersion)
  const putIn = content?.changes.filter(change => newVersionIn(change) !== null)
  return entries.length - 1 === putIn?.length
}

/**
 * Where what sync noted is lost, a commit may stand in the log as it was before a rebase, and as it was taken up again:
 * the later one counts. The ids of those that are left are known from then on.
 */
function latestOf<Commit extends SalvagedCommit>(commits: readonly Commit[], known: Set<string>): Commit[] {
  const isLatest = ({ entries }: Commit): boolean => {
    const ids = entries.map(({ eventId }) => eventIdOf(eventId))
    if (ids.some(id => known.has(id))) return false
    for (const id of ids) known.add(id)
    return true
  }
  return commits.toReversed().filter(isLatest).toReversed()
}

/** What is in no commit that is known, of each. */
function unknownOf(commits: readonly CommitInPart[], known: Set<string>): CommitInPart[] {
  const unknown = commits.map(commit => ({
    ...commit,
    entries: commit.entries.filter(({ eventId }) => {
      const id = eventIdOf(eventId)
      const isNew = !known.has(id)
      known.add(id)
      return isNew
    }),
  }))
  return unknown.filter(({ entries }) => entries.length > 0)
}

/** Its bytes are views of a block that is not to be kept in memory as a whole. */
function copyOf(entry: Entry): Entry {
  const { eventId, salt, payload, metadata, previous, hash } = entry
  return {
    ...entry,
    eventId: eventId.slice(),
    salt: salt.slice(),
    payload: payload.slice(),
    metadata: metadata.slice(),
    previous: previous.slice(),
    hash: hash.slice(),
  }
}
