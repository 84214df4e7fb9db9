// Puts entries that were lost back into their places: those that the server has confirmed, told by their hashes.

import type { StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import { equalBytes } from '../../log/bytes.ts'
import { IN_PART, isInPart } from '../../log/commit-note.ts'
import type { Entry } from '../../log/entry.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import type { BlockStore } from '../block-store.ts'
import type { Erasures } from '../erasure/erasures.ts'
import type { LogIndex } from '../log-index.ts'
import { readSyncFact, SYNC_STREAM } from '../sync-fact.ts'
import { ifReadable } from './if-readable.ts'
import { type InspectedBlock, inspectBlock } from './inspect-block.ts'
import type { Damage, HealOutcome } from './recovery-machine.ts'

/** A place in the server's log. */
export type ServerPlace = Readonly<{ epoch: string; position: number }>

export type ReadOutcome = Readonly<{ type: 'read' }> | Exclude<HealOutcome, { type: 'healed' | 'sound' }>

/** Reads commits of the server's log behind a place, in order, until `take` is false or the log ends. */
export type ConfirmedSource = (
  behind: ServerPlace,
  take: (commit: readonly Entry[], isCut: boolean) => boolean,
) => Promise<ReadOutcome>

export type HealingParts = Readonly<{
  storage: Pick<LogStorage, 'read' | 'replace'>
  blocks: BlockStore
  chain: HashChain
  hash: HashProvider
  erasures: Pick<Erasures, 'asListed'>
  index: () => LogIndex
  /** Told when entries from a position on read otherwise than before. */
  onHealed: (from: GlobalPosition) => void
}>

export class Healing {
  readonly #parts: HealingParts

  constructor(parts: HealingParts) {
    this.#parts = parts
  }

  /** What is damaged of the block that holds a position; null where it is as it was written. */
  async examine(position: GlobalPosition): Promise<Damage | null> {
    const stored = await this.#storedAt(position)
    if (!stored) return this.#gapAt(position)
    const inspected = await inspectBlock(stored, this.#parts)
    return inspected.isSound ? null : this.#damageOf(stored, inspected)
  }

  /** Asks for what was lost, and puts it back in one transaction if all of it is what stood there. */
  async heal({ firstPosition }: Damage, source: ConfirmedSource): Promise<HealOutcome> {
    const stored = await this.#storedAt(firstPosition)
    if (!stored) return { type: 'refused', reason: 'the block is not there any more' }
    const inspected = await inspectBlock(stored, this.#parts)
    if (inspected.isSound) return { type: 'sound' }
    const { obstacle } = this.#damageOf(stored, inspected)
    if (obstacle !== null) return { type: 'refused', reason: obstacle }
    const found = new Map<GlobalPosition, FoundEntry>()
    const { lost } = inspected
    const read = lost.length > 0 ? await this.#fetch(lost, source, found) : READ
    if (read.type !== 'read') return read
    for (const position of lost) {
      const refusal = await this.#judge(position, found, inspected)
      if (refusal) return { type: 'refused', reason: refusal }
    }
    const healed = await this.#rewritten(stored, inspected, found)
    const { type } = await this.#parts.storage.replace!([stored], healed)
    if (type === 'conflict') return { type: 'unanswered' }
    this.#parts.onHealed(firstPosition)
    return { type: 'healed' }
  }

  async #storedAt(position: GlobalPosition): Promise<StoredBlock | undefined> {
    const [stored] = await this.#parts.storage.read({ from: position, to: position, maxBytes: 1 })
    return stored
  }

  async #gapAt(position: GlobalPosition): Promise<Damage | null> {
    const index = this.#parts.index()
    if (position > index.head) return null
    const [next] = await this.#parts.storage.read({ from: position, maxBytes: 1 })
    const lastPosition = next ? next.firstPosition - 1 : index.head
    const lost = Array.from({ length: lastPosition + 1 - position }, (_, i) => position + i)
    const detail = 'a block is missing'
    const atRisk = { ...this.#countsOf(lost), bytes: null }
    return { firstPosition: position, lastPosition, atRisk, detail, obstacle: 'its place is gone, too' }
  }

  #damageOf(
    { firstPosition, lastPosition }: StoredBlock,
    { block, lost, lostBytes }: InspectedBlock,
  ): Damage {
    const detail = block
      ? `${lost.length} of ${block.count} entries in a block do not have their hashes`
      : `a block of ${lost.length} entries cannot be read`
    const obstacle = this.#obstacleTo(lost, lastPosition)
    return {
      firstPosition,
      lastPosition,
      atRisk: { ...this.#countsOf(lost), bytes: lostBytes },
      detail: lost.length === 0 ? 'a block does not match its digest' : detail,
      obstacle,
    }
  }

  #countsOf(lost: readonly GlobalPosition[]): Readonly<{ events: number; unsynced: number }> {
    const index = this.#parts.index()
    const events = lost.filter(position => index.isEffective(position))
    const { confirmedThrough } = index.cursor
    return { events: events.length, unsynced: events.filter(position => position > confirmedThrough).length }
  }

  #obstacleTo(lost: readonly GlobalPosition[], lastPosition: GlobalPosition): string | null {
    if (!this.#parts.storage.replace) return 'its database has to be restored'
    const index = this.#parts.index()
    const { confirmedThrough } = index.cursor
    const isOfDevice = (position: GlobalPosition): boolean => !index.isEffective(position)
    if (lost.some(isOfDevice)) {
      return 'some of it was of this device alone: its notes, or what a rebase superseded'
    }
    if (lost.some(position => position > confirmedThrough)) return 'the server has not confirmed all of it'
    // Of what is pending, nobody could tell whether the notes beside it are those that were written.
    for (let position = confirmedThrough + 1; lost.length === 0 && position <= lastPosition; position++) {
      if (index.isEffective(position)) return 'what is noted beside pending events cannot be told'
    }
    return null
  }

  /** The server's log and the effective entries here are the same in the same order, as far as they are confirmed. */
  async #fetch(
    lost: readonly GlobalPosition[],
    source: ConfirmedSource,
    found: Map<GlobalPosition, FoundEntry>,
  ): Promise<ReadOutcome> {
    const { erasures } = this.#parts
    const index = this.#parts.index()
    const isLost = new Set(lost)
    const last = lost.at(-1)!
    const start = await this.#placeBefore(lost[0]!)
    let position = start.confirmedThrough
    return source({ epoch: start.epoch, position: start.serverPosition }, (commit, isCut) => {
      for (const [i, entry] of commit.entries()) {
        do position++
        while (position <= last && !index.isEffective(position))
        if (!isLost.has(position)) continue
        const isLastOfCommit = i === commit.length - 1
        found.set(position, { entry: erasures.asListed(entry), isLastOfCommit, isCut })
      }
      return position < last
    })
  }

  /** The last place in the server's log that is known to be before a position here. */
  async #placeBefore(position: GlobalPosition) {
    const index = this.#parts.index()
    const { epoch } = index.cursor
    const facts = index.positionsOf(SYNC_STREAM, 1, index.versionOf(SYNC_STREAM))
    // What an earlier log of the server had behind the place to which a later fact went back is not in this one.
    let common = index.cursor.confirmedThrough
    for (let i = facts.length - 1; i >= 0; i--) {
      const fact = await this.#factAt(facts[i]!)
      if (!fact) continue
      const isBefore = facts[i]! < position && fact.confirmedThrough < position
      if (isBefore && fact.confirmedThrough <= common) return { ...fact, epoch }
      common = Math.min(common, fact.confirmedThrough)
    }
    return { epoch, serverPosition: 0, confirmedThrough: 0 }
  }

  /** Null where it cannot be read: an earlier one does as well, at the cost of a longer way. */
  async #factAt(position: GlobalPosition) {
    const block = await ifReadable(() => this.#parts.blocks.holding(position))
    return block && readSyncFact(jsonSlice(block.payloads, position - block.firstPosition), position)
  }

  /** Why what the server sent is not what stood at a position; null if it is, by all that is left to tell. */
  async #judge(
    position: GlobalPosition,
    found: FoundEntries,
    inspected: InspectedBlock,
  ): Promise<string | null> {
    const entry = found.get(position)?.entry
    if (!entry) return `the server's log ends before the event at position ${position}`
    const { chain } = this.#parts
    const index = this.#parts.index()
    const { streamName, streamVersion, hash, previous } = entry
    const isOfPlace =
      streamVersion <= index.versionOf(streamName) && index.positionAt(streamName, streamVersion) === position
    const other = `the server has another event at position ${position}`
    if (!isOfPlace || !equalBytes(chain.hashOf(entry), hash)) return other
    const before = await this.#neighbour(streamName, streamVersion - 1, found, inspected)
    if (before && !equalBytes(before.hash, previous)) return other
    const { block } = inspected
    if (block && equalBytes(block.hashOf(position - block.firstPosition), hash)) return null
    // Where the hash itself is what was lost, the next event of the stream has it.
    const behind = await this.#neighbour(streamName, streamVersion + 1, found, inspected)
    return behind && !equalBytes(behind.previous, hash) ? other : null
  }

  /** What stands in a stream's chain beside a lost entry; undefined where nothing does, or it is lost, too. */
  async #neighbour(
    streamName: string,
    version: number,
    found: FoundEntries,
    { block, lost }: InspectedBlock,
  ): Promise<Pick<Entry, 'hash' | 'previous'> | undefined> {
    const index = this.#parts.index()
    if (version < 1 || version > index.versionOf(streamName)) return undefined
    const position = index.positionAt(streamName, version)
    if (lost.includes(position)) return found.get(position)?.entry
    const isInside = block && block.firstPosition <= position && position <= block.lastPosition
    const holding = isInside ? block : await ifReadable(() => this.#parts.blocks.holding(position))
    return holding?.entry(position - holding.firstPosition)
  }

  /** The same entries, each with its commit. What was noted beside confirmed ones is of no use any more. */
  #rewritten(
    { firstPosition, lastPosition }: StoredBlock,
    { block }: InspectedBlock,
    found: FoundEntries,
  ): Promise<StoredBlock[]> {
    const { confirmedThrough } = this.#parts.index().cursor
    const writer = new BlockWriter(this.#parts.hash, firstPosition)
    const ends = new Map(block?.commits.map(({ lastIndex, note }) => [firstPosition + lastIndex, note]))
    for (let position = firstPosition; position <= lastPosition; position++) {
      const one = found.get(position)
      writer.add(one?.entry ?? block!.entry(position - firstPosition))
      const note = block ? ends.get(position) : noteOf(one!)
      if (note === undefined) continue
      writer.endCommit(position > confirmedThrough || isInPart(note) ? note : null)
    }
    return writer.finish()
  }
}

type FoundEntry = Readonly<{ entry: Entry; isLastOfCommit: boolean; isCut: boolean }>
type FoundEntries = ReadonlyMap<GlobalPosition, FoundEntry>

/** Undefined within a commit. */
function noteOf({ isLastOfCommit, isCut }: FoundEntry): typeof IN_PART | null | undefined {
  if (!isLastOfCommit) return undefined
  return isCut ? IN_PART : null
}

const READ: ReadOutcome = { type: 'read' }
