// Many JSON values as the text of one array: parsed in one go, yet each value's exact bytes can be hashed.

import { ByteWriter, utf8, utf8Length } from './bytes.ts'
import { GrowableUint32 } from './growable.ts'

/**
 * Values of a JSON array in UTF-8 without white space: the first begins at byte `start`, value i ends before byte
 * `ends[i]`, and between two stands a comma.
 */
export type JsonColumn = Readonly<{ bytes: Uint8Array; start: number; ends: Uint32Array }>

const OPEN = 0x5b
const CLOSE = 0x5d
const COMMA = 0x2c

/** The exact bytes of value i, as a view. */
export function jsonSlice(column: JsonColumn, i: number): Uint8Array {
  return column.bytes.subarray(jsonStart(column, i), column.ends[i])
}

/** Where value i starts. */
export function jsonStart({ start, ends }: JsonColumn, i: number): number {
  return i === 0 ? start : ends[i - 1]! + 1
}

/** A column of one value. */
export function jsonColumnOf(json: Uint8Array): JsonColumn {
  return { bytes: json, start: 0, ends: Uint32Array.of(json.length) }
}

/** A column of JSON values in UTF-8, copied together. */
export function jsonColumnOfSlices(values: readonly Uint8Array[]): JsonColumn {
  const bytes = new Uint8Array(values.reduce((sum, { length }) => sum + length + 1, 0)).fill(COMMA)
  const ends = new Uint32Array(values.length)
  let end = -1
  for (let i = 0; i < values.length; i++) {
    bytes.set(values[i]!, end + 1)
    end += 1 + values[i]!.length
    ends[i] = end
  }
  return { bytes, start: 0, ends }
}

/** Values `from` to `to - 1`, as a view. */
export function jsonPart(column: JsonColumn, from: number, to: number): JsonColumn {
  return { bytes: column.bytes, start: jsonStart(column, from), ends: column.ends.subarray(from, to) }
}

/** Bytes that the values and the commas between them take. */
export function jsonLength({ start, ends }: JsonColumn): number {
  return ends.length === 0 ? 0 : ends[ends.length - 1]! - start
}

/**
 * True when brackets and commas stand where `ends` says. Whether each slice is JSON is for `JSON.parse` to say;
 * this makes sure that a slice, and so a hash, covers what is parsed.
 */
export function isWellFramed(column: JsonColumn): boolean {
  const { bytes, ends } = column
  const count = ends.length
  if (bytes[0] !== OPEN || bytes[bytes.length - 1] !== CLOSE) return false
  if (count === 0) return bytes.length === 2
  for (let i = 0; i < count; i++) {
    const end = ends[i]!
    if (end <= jsonStart(column, i) || end >= bytes.length) return false
    if (i < count - 1 && bytes[end] !== COMMA) return false
  }
  return ends[count - 1] === bytes.length - 1
}

/** A column of JSON texts. */
export function jsonColumnOfTexts(texts: readonly string[]): OwnColumn {
  const text = `[${texts.join(',')}]`
  const bytes = utf8(text)
  const isAscii = bytes.length === text.length
  const ends = new Uint32Array(texts.length)
  let end = 0
  for (let i = 0; i < texts.length; i++) {
    end += 1 + (isAscii ? texts[i]!.length : utf8Length(texts[i]!))
    ends[i] = end
  }
  return { bytes, start: 1, ends }
}

/** A column of values that are JSON in UTF-8 already. */
export function jsonColumnOfValues(values: readonly Uint8Array[]): OwnColumn {
  const commas = Math.max(0, values.length - 1)
  const bytes = new Uint8Array(values.reduce((sum, { length }) => sum + length, commas + 2))
  const ends = new Uint32Array(values.length)
  bytes[0] = OPEN
  let at = 1
  for (const [i, value] of values.entries()) {
    if (i > 0) bytes[at++] = COMMA
    bytes.set(value, at)
    at += value.length
    ends[i] = at
  }
  bytes[at] = CLOSE
  return { bytes, start: 1, ends }
}

/** A column in memory of its own. */
export type OwnColumn = JsonColumn & { bytes: Uint8Array<ArrayBuffer>; ends: Uint32Array<ArrayBuffer> }

/** Collects parts of columns. */
export class JsonColumnWriter {
  readonly #bytes: ByteWriter
  readonly #ends = new GrowableUint32()

  constructor(capacity = 256) {
    this.#bytes = new ByteWriter(capacity)
    this.#bytes.u8(OPEN)
  }

  /** Bytes the column would have if it ended now. */
  get length(): number {
    return this.#bytes.length + 1
  }

  /** Values `from` to `to - 1` of another column, which stand there as they shall stand here. */
  addPart(column: JsonColumn, from: number, to: number): void {
    this.#separate()
    const { bytes, ends } = column
    const start = jsonStart(column, from)
    const shift = this.#bytes.length - start
    this.#bytes.part(bytes, start, ends[to - 1]!)
    for (let i = from; i < to; i++) this.#ends.push(ends[i]! + shift)
  }

  /** The column in the form of a block: ends, length, text. Nothing can be added behind it. */
  writeTo(writer: ByteWriter): void {
    this.#bytes.u8(CLOSE)
    const bytes = this.#bytes.bytes()
    for (const end of this.#ends.values()) writer.u32(end)
    writer.u32(bytes.length)
    writer.raw(bytes)
  }

  /** Keeps the buffers and begins an empty column. */
  reset(): void {
    this.#bytes.reset()
    this.#ends.truncate(0)
    this.#bytes.u8(OPEN)
  }

  #separate(): void {
    if (this.#ends.length > 0) this.#bytes.u8(COMMA)
  }
}
