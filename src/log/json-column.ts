// Many JSON values as the text of one array: parsed in one go, yet each value's exact bytes can be hashed.

import { ByteWriter } from './bytes.ts'

/** `bytes` is a JSON array in UTF-8 without white space; value i ends before byte `ends[i]`. */
export type JsonColumn = Readonly<{ bytes: Uint8Array; ends: Uint32Array }>

const OPEN = 0x5b
const CLOSE = 0x5d
const COMMA = 0x2c

/** The exact bytes of value i, as a view. */
export function jsonSlice({ bytes, ends }: JsonColumn, i: number): Uint8Array {
  return bytes.subarray(jsonStart(ends, i), ends[i])
}

/** Where value i starts: behind the opening bracket or the comma. */
function jsonStart(ends: Uint32Array, i: number): number {
  return i === 0 ? 1 : ends[i - 1]! + 1
}

/**
 * True when brackets and commas stand where `ends` says. Whether each slice is JSON is for `JSON.parse` to say;
 * this makes sure that a slice, and so a hash, covers what is parsed.
 */
export function isWellFramed({ bytes, ends }: JsonColumn): boolean {
  const count = ends.length
  if (bytes[0] !== OPEN || bytes[bytes.length - 1] !== CLOSE) return false
  if (count === 0) return bytes.length === 2
  for (let i = 0; i < count; i++) {
    const end = ends[i]!
    if (end <= jsonStart(ends, i) || end >= bytes.length) return false
    if (i < count - 1 && bytes[end] !== COMMA) return false
  }
  return ends[count - 1] === bytes.length - 1
}

/** Collects JSON texts into a column. */
export class JsonColumnWriter {
  readonly #bytes: ByteWriter
  readonly #ends: number[] = []

  /** Small by default: most appends are of one event. */
  constructor(capacity = 256) {
    this.#bytes = new ByteWriter(capacity)
    this.#bytes.u8(OPEN)
  }

  /** Bytes the column would have if it ended now. */
  get length(): number {
    return this.#bytes.length + 1
  }

  addText(json: string): void {
    this.#separate()
    this.#bytes.text(json)
    this.#ends.push(this.#bytes.length)
  }

  addBytes(json: Uint8Array): void {
    this.#separate()
    this.#bytes.raw(json)
    this.#ends.push(this.#bytes.length)
  }

  /** The column in memory of its own. */
  finish(): JsonColumn & { bytes: Uint8Array<ArrayBuffer>; ends: Uint32Array<ArrayBuffer> } {
    this.#bytes.u8(CLOSE)
    return { bytes: this.#bytes.bytes().slice(), ends: Uint32Array.from(this.#ends) }
  }

  #separate(): void {
    if (this.#ends.length > 0) this.#bytes.u8(COMMA)
  }
}
