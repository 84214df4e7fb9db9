// Keeps the index in the side table, so that opening reads what is new and not the whole log. Streams and ids stand
// apart: a view needs the streams alone. Segments of a fixed number of positions never change once they are full; only
// the last one is rewritten.

import { ByteReader, ByteWriter, equalBytes, MalformedBytes, textOf, utf8 } from '../log/bytes.ts'
import type { GlobalPosition } from '../log/event.ts'
import { ID_BYTES } from '../log/event-id.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { BlockStore } from './block-store.ts'
import type { IndexFacts, LogIndex, StreamColumn } from './log-index.ts'
import { contentOf, sealedValue } from './sealed-value.ts'

/** Positions in one segment: few enough that numbers of streams are a value under 64 KiB. */
export const SEGMENT_POSITIONS = 16_384

const FORMAT = 8
const TIP_KEY = 'index/tip'
const STREAMS_PREFIX = 'index/streams/'
const IDS_PREFIX = 'index/ids/'
const segmentKey = (prefix: string, number: number): string => `${prefix}${String(number).padStart(10, '0')}`

type Tip = IndexFacts &
  Readonly<{
    format: number
    head: GlobalPosition
    /** Hash of the entry at `head`, as bytes: a checkpoint of another log is not used. */
    headHash: readonly number[]
  }>

export class IndexCheckpoint {
  readonly #storage: LogStorage
  readonly #hash: HashProvider
  /** Head of the last checkpoint that this replica's worker read or wrote. */
  #saved: GlobalPosition = 0
  /** Head of the one that the index was restored from. */
  #restored: GlobalPosition = 0

  constructor(storage: LogStorage, hash: HashProvider) {
    this.#storage = storage
    this.#hash = hash
  }

  get savedHead(): GlobalPosition {
    return this.#saved
  }

  /**
   * Fills an empty index with what was saved, but for the ids: {@link restoreIds}. False when nothing was saved, or not
   * for this log: then start afresh.
   */
  async restore(index: LogIndex, blocks: BlockStore): Promise<boolean> {
    const tip = await this.#readTip()
    if (!tip) return false
    // Read while it is found out whether they count: nearly always they do.
    const reading = this.#storage.list(STREAMS_PREFIX)
    reading.catch(() => {})
    if (!(await standsOn(tip, blocks, await this.#storage.head()))) return false
    for (const [, bytes] of await reading) {
      if (index.head === tip.head) break
      const content = await contentOf(bytes, this.#hash)
      const segment = content && readStreams(content)
      if (!segment || !restoreStreams(index, segment, tip.head)) return false
    }
    if (index.head !== tip.head) return false
    index.restoreFacts(tip)
    this.#saved = tip.head
    this.#restored = tip.head
    return true
  }

  /** Gives the index the ids of what was restored: from the log itself where they were not saved as they should be. */
  async restoreIds(index: LogIndex, blocks: BlockStore): Promise<void> {
    const end = this.#restored
    for (let number = 0; number * SEGMENT_POSITIONS < end; number++) {
      const first = number * SEGMENT_POSITIONS + 1
      const last = Math.min(first + SEGMENT_POSITIONS - 1, end)
      const content = await contentOf(await this.#storage.get(segmentKey(IDS_PREFIX, number)), this.#hash)
      const size = (last - first + 1) * ID_BYTES
      // Another tab may have saved more than the tip says.
      const isWhole = content && content.length >= size
      index.restoreIds(isWhole ? content.subarray(0, size) : await idsInLog(blocks, first, last), first)
    }
  }

  /** Head of the last checkpoint, whether or not the log still reaches that far. */
  async knownHead(): Promise<GlobalPosition> {
    return (await this.#readTip())?.head ?? 0
  }

  /** Writes what is new since the last save, in one put. */
  async save(index: LogIndex, headHash: Uint8Array): Promise<void> {
    const { head, facts } = index
    const tip: Tip = { format: FORMAT, head, headHash: [...headHash], ...facts }
    // All of it is taken before anything is awaited: the index may go on meanwhile.
    const segments: [key: string, content: Uint8Array][] = [[TIP_KEY, utf8(JSON.stringify(tip))]]
    const first = Math.floor(this.#saved / SEGMENT_POSITIONS)
    for (let number = first; number * SEGMENT_POSITIONS < head; number++) {
      const from = number * SEGMENT_POSITIONS + 1
      const to = Math.min(from + SEGMENT_POSITIONS - 1, head)
      segments.push([segmentKey(STREAMS_PREFIX, number), streamBytes(index.streamColumn(from, to), from)])
      segments.push([segmentKey(IDS_PREFIX, number), index.idColumn(from, to)])
    }
    const values: Record<string, Uint8Array<ArrayBuffer>> = {}
    for (const [key, content] of segments) values[key] = await sealedValue(content, this.#hash)
    await this.#storage.put(values)
    this.#saved = Math.max(this.#saved, head)
  }

  /** Null where there is none, or a damaged one, or one of another format: that costs one pass over the log. */
  async #readTip(): Promise<Tip | null> {
    const content = await contentOf(await this.#storage.get(TIP_KEY), this.#hash)
    if (!content) return null
    try {
      const tip = JSON.parse(textOf(content)) as Tip
      return tip.format === FORMAT ? tip : null
    } catch {
      // One of a format before.
      return null
    }
  }
}

type Segment = StreamColumn & Readonly<{ from: GlobalPosition }>

function streamBytes({ firstNumber, newNames, numbers }: StreamColumn, from: GlobalPosition): Uint8Array {
  const writer = new ByteWriter(numbers.length * 4 + newNames.length * 24 + 64)
  writer.u64(from)
  writer.u32(firstNumber)
  writer.u32(newNames.length)
  for (const name of newNames) writer.lp16(name)
  const isShort = firstNumber + newNames.length <= 0x1_0000
  writer.u8(isShort ? SHORT_NUMBERS : LONG_NUMBERS)
  writer.u32(numbers.length)
  for (const number of numbers) {
    if (isShort) writer.u16(number)
    else writer.u32(number)
  }
  return writer.bytes()
}

/** Bytes that the number of a stream takes in a segment. */
const SHORT_NUMBERS = 2
const LONG_NUMBERS = 4

function readStreams(bytes: Uint8Array): Segment | null {
  try {
    const reader = new ByteReader(bytes)
    const from = reader.u64()
    const firstNumber = reader.u32()
    const newNames = Array.from({ length: reader.u32() }, () => reader.lp16())
    const width = reader.u8()
    const count = reader.u32()
    return { from, firstNumber, newNames, numbers: readNumbers(reader.raw(count * width), width) }
  } catch (error) {
    if (error instanceof MalformedBytes) return null
    throw error
  }
}

/** Big-endian, all in one loop: a million of them are read at an opening. */
function readNumbers(bytes: Uint8Array, width: number): Uint32Array {
  const numbers = new Uint32Array(bytes.length / width)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  for (let i = 0; i < numbers.length; i++) {
    numbers[i] =
      width === SHORT_NUMBERS ? view.getUint16(i * SHORT_NUMBERS) : view.getUint32(i * LONG_NUMBERS)
  }
  return numbers
}

/**
 * False when the segment does not go on where the index ends. Another tab may have saved more than the tip says: that
 * is left out.
 */
function restoreStreams(
  index: LogIndex,
  { from, numbers, ...names }: Segment,
  head: GlobalPosition,
): boolean {
  return (
    from === index.head + 1 && index.restore({ ...names, numbers: numbers.subarray(0, head - index.head) })
  )
}

/** Ids of the positions in [first, last], 16 bytes each. */
async function idsInLog(
  blocks: BlockStore,
  first: GlobalPosition,
  last: GlobalPosition,
): Promise<Uint8Array> {
  const ids = new Uint8Array((last - first + 1) * ID_BYTES)
  for await (const block of blocks.run(first, last)) {
    const from = Math.max(first, block.firstPosition)
    const to = Math.min(last, block.lastPosition)
    const part = block.ids.subarray(
      (from - block.firstPosition) * ID_BYTES,
      (to + 1 - block.firstPosition) * ID_BYTES,
    )
    ids.set(part, (from - first) * ID_BYTES)
  }
  return ids
}

/** True when the log holds, at the checkpoint's head, the very entry the checkpoint was made on. */
async function standsOn(tip: Tip, blocks: BlockStore, storedHead: GlobalPosition): Promise<boolean> {
  if (tip.head === 0 || tip.head > storedHead) return false
  const block = await blocks.holding(tip.head)
  return equalBytes(block.hashOf(tip.head - block.firstPosition), Uint8Array.from(tip.headHash))
}
