// Reads a log that is damaged, and takes out of it what the server may not have: pending commits whose entries still
// have the hashes that they were recorded with.

import { type Block, decodeBlock, type StoredBlock, sealedParts } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import { equalBytes } from '../../log/bytes.ts'
import type { CommitNote } from '../../log/commit-note.ts'
import { type Entry, KIND_SYSTEM } from '../../log/entry.ts'
import type { UnplacedEntry } from '../../log/entry-run.ts'
import { isStoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import { HashChain } from '../../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { READ_BYTES } from '../read-ahead.ts'
import { readSyncFact, SYNC_STREAM } from '../sync-fact.ts'

/** Entries that get their places, links and hashes anew. */
export type UnlinkedCommit = Readonly<{
  entries: readonly (UnplacedEntry & Pick<Entry, 'streamName'>)[]
  note: CommitNote | null
}>

type SalvagedCommit = Readonly<{
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
  readonly #hash: HashProvider
  readonly #chain: HashChain
  #pending: SalvagedCommit[] = []
  readonly #damaged: StoredBlock[] = []
  /** Positions of what is lost. */
  readonly #lost: GlobalPosition[] = []
  #confirmedThrough: GlobalPosition = 0
  #next: GlobalPosition = 1
  /** Of a commit that goes on in the next block; null for one that has lost an entry. */
  #open: Entry[] | null = []

  constructor(hash: HashProvider) {
    this.#hash = hash
    this.#chain = new HashChain(hash)
  }

  async take(stored: StoredBlock): Promise<void> {
    this.#loseUpTo(stored.firstPosition - 1)
    const block = readable(stored)
    if (!block) this.#loseUpTo(stored.lastPosition)
    const isWhole = block && this.#takeEntries(block) && (await hasDigest(stored, this.#hash))
    if (!isWhole) this.#damaged.push(stored)
  }

  finish(head: GlobalPosition): Salvage {
    this.#loseUpTo(head)
    const pending = this.#pending.filter(({ firstPosition }) => firstPosition > this.#confirmedThrough)
    return {
      pending,
      damaged: this.#damaged,
      lost: this.#lost.length,
      lostUnsynced: this.#lost.filter(position => position > this.#confirmedThrough).length,
      firstLost: this.#lost[0] ?? null,
    }
  }

  /** False when an entry does not have its hash. */
  #takeEntries(block: Block): boolean {
    const hashes = this.#chain.hashesOfBlock(block)
    const lostBefore = this.#lost.length
    let commit = 0
    for (let i = Math.max(0, this.#next - block.firstPosition); i < block.count; i++) {
      const holds = equalBytes(hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES), block.hashOf(i))
      if (holds) this.#open?.push(copyOf(block.entry(i)))
      else {
        this.#lost.push(block.firstPosition + i)
        this.#open = null
      }
      while (commit < block.commits.length && block.commits[commit]!.lastIndex < i) commit++
      const end = block.commits[commit]
      if (end?.lastIndex === i) this.#endCommit(block.firstPosition + i, end.note)
    }
    this.#next = block.lastPosition + 1
    return this.#lost.length === lostBefore
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

function readable({ bytes, firstPosition, lastPosition }: StoredBlock): Block | null {
  try {
    const block = decodeBlock(bytes, firstPosition)
    return block.firstPosition === firstPosition && block.lastPosition === lastPosition ? block : null
  } catch (error) {
    // What a newer version wrote is not damaged, and not for this one to judge.
    if (!isStoreError(error, 'log-damaged')) throw error
    return null
  }
}

async function hasDigest({ bytes }: StoredBlock, hash: HashProvider): Promise<boolean> {
  const { content, digest } = sealedParts(bytes)
  return equalBytes(await hash.digestLarge(content), digest)
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
