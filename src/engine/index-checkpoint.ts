// Keeps the index in the side table, so that opening reads what is new and not the whole log.
// Segments of a fixed number of positions never change once they are full; only the last one is rewritten.

import { ByteReader, ByteWriter, equalBytes, MalformedBytes, textOf, utf8 } from '../log/bytes.ts'
import type { GlobalPosition } from '../log/event.ts'
import { ID_BYTES } from '../log/event-id.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import type { KeyValues, LogStorage } from '../storage/log-storage.ts'
import type { BlockStore } from './block-store.ts'
import type { SyncCursor } from './event-log.ts'
import type { LogIndex, SupersededRange } from './log-index.ts'

/** Positions in one segment. */
export const SEGMENT_POSITIONS = 65_536

const FORMAT = 1
const TIP_KEY = 'index/tip'
const segmentKey = (number: number): string => `index/segment/${String(number).padStart(10, '0')}`

type Tip = Readonly<{
  format: number
  head: GlobalPosition
  /** Hash of the entry at `head`, as bytes: a checkpoint of another log is not used. */
  headHash: readonly number[]
  cursor: SyncCursor
  superseded: readonly SupersededRange[]
}>

export class IndexCheckpoint {
  readonly #storage: LogStorage
  readonly #hash: HashProvider
  /** Head of the last checkpoint that this replica's worker read or wrote. */
  #saved: GlobalPosition = 0

  constructor(storage: LogStorage, hash: HashProvider) {
    this.#storage = storage
    this.#hash = hash
  }

  get savedHead(): GlobalPosition {
    return this.#saved
  }

  /** Fills an empty index with what was saved. False when nothing was, or not for this log: then start afresh. */
  async restore(index: LogIndex, blocks: BlockStore): Promise<boolean> {
    const tip = readTip(await this.#storage.get(TIP_KEY))
    if (!tip || !(await standsOn(tip, blocks, await this.#storage.head()))) return false
    for (let number = 0; number * SEGMENT_POSITIONS < tip.head; number++) {
      const bytes = await this.#storage.get(segmentKey(number))
      if (!bytes || !this.#restoreSegment(index, bytes, tip.head)) return false
    }
    if (index.head !== tip.head) return false
    index.restoreFacts(tip.cursor, tip.superseded)
    this.#saved = tip.head
    return true
  }

  /** Head of the last checkpoint, whether or not the log still reaches that far. */
  async knownHead(): Promise<GlobalPosition> {
    return readTip(await this.#storage.get(TIP_KEY))?.head ?? 0
  }

  /** Writes what is new since the last save, in one put. */
  async save(index: LogIndex, headHash: Uint8Array): Promise<void> {
    const head = index.head
    const values: Record<string, Uint8Array<ArrayBuffer>> = {}
    for (
      let number = Math.floor(this.#saved / SEGMENT_POSITIONS);
      number * SEGMENT_POSITIONS < head;
      number++
    ) {
      const from = number * SEGMENT_POSITIONS + 1
      values[segmentKey(number)] = this.#segmentBytes(
        index,
        from,
        Math.min(from + SEGMENT_POSITIONS - 1, head),
      )
    }
    const tip: Tip = {
      format: FORMAT,
      head,
      headHash: [...headHash],
      cursor: index.cursor,
      superseded: index.superseded,
    }
    values[TIP_KEY] = utf8(JSON.stringify(tip))
    await this.#storage.put(values satisfies KeyValues)
    this.#saved = Math.max(this.#saved, head)
  }

  #segmentBytes(index: LogIndex, from: GlobalPosition, to: GlobalPosition): Uint8Array<ArrayBuffer> {
    const { streamNames, streamOf, ids } = index.columns(from, to)
    const writer = new ByteWriter(ids.length + streamOf.length * 4 + streamNames.length * 24 + 64)
    writer.u64(from)
    writer.u32(streamOf.length)
    writer.u32(streamNames.length)
    for (const name of streamNames) writer.lp16(name)
    for (const number of streamOf) writer.u32(number)
    writer.raw(ids)
    writer.raw(this.#hash.digest(writer.bytes()))
    return writer.bytes().slice()
  }

  /** False when the bytes are damaged. Another tab may have saved more than the tip says: that is left out. */
  #restoreSegment(index: LogIndex, bytes: Uint8Array, head: GlobalPosition): boolean {
    const content = bytes.subarray(0, bytes.length - HASH_BYTES)
    if (!equalBytes(this.#hash.digest(content), bytes.subarray(content.length))) return false
    try {
      restoreEntries(index, new ByteReader(content), head)
      return true
    } catch (error) {
      if (error instanceof MalformedBytes) return false
      throw error
    }
  }
}

function restoreEntries(index: LogIndex, reader: ByteReader, head: GlobalPosition): void {
  if (reader.u64() !== index.head + 1) throw new MalformedBytes('a segment is missing')
  const count = reader.u32()
  const streamNames = Array.from({ length: reader.u32() }, () => reader.lp16())
  const streamOf = Uint32Array.from({ length: count }, () => reader.u32())
  for (let i = 0; i < count && index.head < head; i++) {
    const name = streamNames[streamOf[i]!]
    if (name === undefined) throw new MalformedBytes('points past the stream names')
    index.restoreEntry(name, reader.raw(ID_BYTES))
  }
}

function readTip(bytes: Uint8Array | undefined): Tip | null {
  if (!bytes) return null
  try {
    const tip = JSON.parse(textOf(bytes)) as Tip
    return tip.format === FORMAT ? tip : null
  } catch {
    // A tip that cannot be read costs one pass over the log, nothing else.
    return null
  }
}

/** True when the log holds, at the checkpoint's head, the very entry the checkpoint was made on. */
async function standsOn(tip: Tip, blocks: BlockStore, storedHead: GlobalPosition): Promise<boolean> {
  if (tip.head === 0 || tip.head > storedHead) return false
  const block = await blocks.holding(tip.head)
  return equalBytes(block.hashOf(tip.head - block.firstPosition), Uint8Array.from(tip.headHash))
}
