// Reads a log that is damaged, and takes out of it what the server may not have: pending commits whose entries still
// have the hashes that they were recorded with.

import type { Block, StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import type { CommitNote } from '../../log/commit-note.ts'
import { type Entry, KIND_SYSTEM } from '../../log/entry.ts'
import type { UnplacedEntry } from '../../log/entry-run.ts'
import type { GlobalPosition } from '../../log/event.ts'
import { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { READ_BYTES } from '../read-ahead.ts'
import { readSyncFact, SYNC_STREAM } from '../sync-fact.ts'
import { inspectBlock } from './inspect-block.ts'

/** Entries that get their places, links and hashes anew. */
export type UnlinkedCommit = Readonly<{
  entries: readonly (UnplacedEntry & Pick<Entry, 'streamName'>)[]
  note: CommitNote | null
}>

export type SalvagedCommit = Readonly<{
  entries: readonly Entry[]
  note: CommitNote | null
  firstPosition: GlobalPosition
}>

export type Salvage = Readonly<{
  /** In order. */
  pending: readonly SalvagedCommit[]
  /** Blocks with anything in them that does not hold, as they are stored. */
  damaged: readonly StoredBlock[]
  /** Entries that cannot be read, or are not there. */
  lost: number
  /** As far as they are there. */
  lostBytes: number
  /** How many of them the server may not have. */
  lostUnsynced: number
  /** The first of them; null where nothing is lost. */
  firstLost: GlobalPosition | null
}>

export async function salvage(storage: LogStorage, hash: HashProvider): Promise<Salvage> {
  const reader = new SalvageReader(hash)
  const head = await storage.head()
  for (let next = 1; next <= head; ) {
    const blocks = await storage.read({ from: next, maxBytes: READ_BYTES })
    for (const block of blocks) await reader.take(block)
    if (blocks.length === 0) break
    next = blocks.at(-1)!.lastPosition + 1
  }
  return reader.finish(head)
}

/** Blocks of a log that begins with these commits: each stream anew, with the same ids. */
export function relinked(
  commits: readonly UnlinkedCommit[],
  storeId: string,
  hash: HashProvider,
): Promise<StoredBlock[]> {
  const chain = new HashChain(hash)
  const writer = new BlockWriter(hash, 1)
  const heads = new Map<string, Readonly<{ version: number; hash: Uint8Array }>>()
  for (const { entries, note } of commits) {
    for (const entry of entries) {
      const { streamName } = entry
      const head = heads.get(streamName) ?? { version: 0, hash: chain.genesis(storeId, streamName) }
      const unlinked = { ...entry, streamVersion: head.version + 1, previous: head.hash }
      const linked = { ...unlinked, hash: chain.hashOf(unlinked) }
      heads.set(streamName, { version: linked.streamVersion, hash: linked.hash })
      writer.add(linked)
    }
    writer.endCommit(note)
  }
  return writer.finish()
}

class SalvageReader {
  readonly #parts: Readonly<{ hash: HashProvider; chain: HashChain }>
  #pending: SalvagedCommit[] = []
  readonly #damaged: StoredBlock[] = []
  /** Positions of what is lost. */
  readonly #lost: GlobalPosition[] = []
  #lostBytes = 0
  #confirmedThrough: GlobalPosition = 0
  #next: GlobalPosition = 1
  /** Of a commit that goes on in the next block; null for one that has lost an entry. */
  #open: Entry[] | null = []

  constructor(hash: HashProvider) {
    this.#parts = { hash, chain: new HashChain(hash) }
  }

  async take(stored: StoredBlock): Promise<void> {
    this.#loseUpTo(stored.firstPosition - 1)
    const { block, lost, lostBytes, isSound } = await inspectBlock(stored, this.#parts)
    if (block) this.#takeEntries(block, new Set(lost))
    else this.#loseUpTo(stored.lastPosition)
    this.#lostBytes += lostBytes
    if (!isSound) this.#damaged.push(stored)
  }

  finish(head: GlobalPosition): Salvage {
    this.#loseUpTo(head)
    const pending = this.#pending.filter(({ firstPosition }) => firstPosition > this.#confirmedThrough)
    return {
      pending,
      damaged: this.#damaged,
      lost: this.#lost.length,
      lostBytes: this.#lostBytes,
      lostUnsynced: this.#lost.filter(position => position > this.#confirmedThrough).length,
      firstLost: this.#lost[0] ?? null,
    }
  }

  #takeEntries(block: Block, lost: ReadonlySet<GlobalPosition>): void {
    let commit = 0
    for (let i = Math.max(0, this.#next - block.firstPosition); i < block.count; i++) {
      const position = block.firstPosition + i
      if (lost.has(position)) {
        this.#lost.push(position)
        this.#open = null
      } else this.#open?.push(copyOf(block.entry(i)))
      while (commit < block.commits.length && block.commits[commit]!.lastIndex < i) commit++
      const end = block.commits[commit]
      if (end?.lastIndex === i) this.#endCommit(position, end.note)
    }
    this.#next = block.lastPosition + 1
  }

  #endCommit(lastPosition: GlobalPosition, note: CommitNote | null): void {
    const entries = this.#open
    this.#open = []
    if (!entries || entries.length === 0) return
    const firstPosition = lastPosition - entries.length + 1
    if (entries[0]!.kind !== KIND_SYSTEM) this.#pending.push({ entries, note, firstPosition })
    else if (entries[0]!.streamName === SYNC_STREAM) this.#applyFact(entries[0]!, lastPosition)
  }

  #applyFact(entry: Entry, position: GlobalPosition): void {
    const { confirmedThrough, supersededFrom } = readSyncFact(entry.payload, position)
    this.#confirmedThrough = Math.max(this.#confirmedThrough, confirmedThrough)
    if (supersededFrom === null) return
    // They follow again behind this entry, or were rejected.
    this.#pending = this.#pending.filter(({ firstPosition }) => firstPosition < supersededFrom)
  }

  #loseUpTo(position: GlobalPosition): void {
    if (this.#next > position) return
    for (; this.#next <= position; this.#next++) this.#lost.push(this.#next)
    this.#open = null
  }
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
