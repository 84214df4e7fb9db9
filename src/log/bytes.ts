// Reading and writing of binary layouts, big-endian, bounds checked on the way in.

const encoder = new TextEncoder()
// Fatal: bytes that are no UTF-8 must never be read as something they are not.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

export const utf8 = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text)
export const textOf = (bytes: Uint8Array): string => decoder.decode(bytes)

/** How many bytes well-formed text takes in UTF-8. */
export function utf8Length(text: string): number {
  let length = text.length
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i)
    if (unit < 0x80) continue
    // A surrogate is half of a character of four bytes.
    length += unit < 0x800 || (unit >= 0xd800 && unit < 0xe000) ? 1 : 2
  }
  return length
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** Whether bytes stand at a place in others. */
export function holdsAt(all: Uint8Array, at: number, bytes: Uint8Array): boolean {
  for (let i = 0; i < bytes.length; i++) if (all[at + i] !== bytes[i]) return false
  return true
}

const DIGITS = utf8('0123456789abcdef')
const codes: number[] = []
/** As many arguments as every engine takes in one call. */
const HEX_AT_ONCE = 4_096

/** One flat string at once: put together digit by digit it would leave a tree of small ones. */
export function hexOf(bytes: Uint8Array): string {
  if (bytes.length > HEX_AT_ONCE)
    return hexOf(bytes.subarray(0, HEX_AT_ONCE)) + hexOf(bytes.subarray(HEX_AT_ONCE))
  codes.length = bytes.length * 2
  for (let i = 0; i < bytes.length; i++) {
    codes[i * 2] = DIGITS[bytes[i]! >> 4]!
    codes[i * 2 + 1] = DIGITS[bytes[i]! & 15]!
  }
  return String.fromCharCode.apply(null, codes)
}

export function bytesOfHex(hex: string): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(hex.length >> 1)
  for (let i = 0; i < bytes.length; i++) bytes[i] = Number.parseInt(hex.slice(i * 2, i * 2 + 2), 16)
  return bytes
}

/** Up to this many bytes a loop copies faster than `set`, which needs a view first. */
const SHORT = 48

/** Appends to a buffer that doubles as it fills. `bytes()` is a view: copy it before writing on. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>
  #view: DataView
  #length = 0

  constructor(capacity = 1024) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  get length(): number {
    return this.#length
  }

  /** Keeps the buffer and starts at its beginning again. */
  reset(): void {
    this.#length = 0
  }

  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length)
  }

  u8(value: number): void {
    const at = this.#claim(1)
    this.#view.setUint8(at, value)
  }

  u16(value: number): void {
    const at = this.#claim(2)
    this.#view.setUint16(at, value)
  }

  u32(value: number): void {
    const at = this.#claim(4)
    this.#view.setUint32(at, value)
  }

  /** A safe integer as u64, without the cost of a bigint. */
  u64(value: number): void {
    const at = this.#claim(8)
    this.#view.setUint32(at, Math.floor(value / 0x1_0000_0000))
    this.#view.setUint32(at + 4, value % 0x1_0000_0000)
  }

  raw(bytes: Uint8Array): void {
    const at = this.#claim(bytes.length)
    this.#bytes.set(bytes, at)
  }

  /** Bytes `start` to `end` of `source`. */
  part(source: Uint8Array, start: number, end: number): void {
    const at = this.#claim(end - start)
    if (end - start > SHORT) this.#bytes.set(source.subarray(start, end), at)
    else for (let i = start; i < end; i++) this.#bytes[at + i - start] = source[i]!
  }

  /** Zeros, to be written later. Returns where they begin. */
  hole(size: number): number {
    const at = this.#claim(size)
    this.#bytes.fill(0, at, at + size)
    return at
  }

  /** u16 byte length, then UTF-8. */
  lp16(text: string): void {
    const start = this.#claim(2)
    const length = this.text(text)
    this.#view.setUint16(start, length)
  }

  /** UTF-8 without a length; returns how many bytes it took. */
  text(text: string): number {
    if (text.length <= SHORT && this.#shortAscii(text)) return text.length
    const room = text.length * 3
    const at = this.#claim(room)
    const { written } = encoder.encodeInto(text, this.#bytes.subarray(at, at + room))
    this.#length = at + written
    return written
  }

  /** A loop takes a tenth of the time of `encodeInto` for a name. False, and nothing written, for other text. */
  #shortAscii(text: string): boolean {
    const at = this.#claim(text.length)
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) {
        this.#length = at
        return false
      }
      this.#bytes[at + i] = unit
    }
    return true
  }

  /** Makes room and says where. Call it first: it may replace the buffer that `#bytes` and `#view` stand for. */
  #claim(size: number): number {
    const at = this.#length
    if (at + size > this.#bytes.length) this.#grow(at + size)
    this.#length = at + size
    return at
  }

  #grow(atLeast: number): void {
    const grown = new Uint8Array(Math.max(atLeast, this.#bytes.length * 2))
    grown.set(this.#bytes.subarray(0, this.#length))
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}

/** Thrown by {@link ByteReader} on bytes that are not what they claim to be. Callers turn it into theirs. */
export class MalformedBytes extends Error {
  override readonly name = 'MalformedBytes'
}

/** Reads a layout and never past its end. Byte results are views of the source. */
export class ByteReader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get remaining(): number {
    return this.#bytes.length - this.#at
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1))
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2))
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4))
  }

  u64(): number {
    const at = this.#take(8)
    const value = this.#view.getUint32(at) * 0x1_0000_0000 + this.#view.getUint32(at + 4)
    if (!Number.isSafeInteger(value)) throw new MalformedBytes('a number is larger than 2^53 - 1')
    return value
  }

  raw(length: number): Uint8Array {
    const at = this.#take(length)
    return this.#bytes.subarray(at, at + length)
  }

  lp16(): string {
    return this.text(this.u16())
  }

  text(length: number): string {
    try {
      return decoder.decode(this.raw(length))
    } catch (cause) {
      if (cause instanceof MalformedBytes) throw cause
      throw new MalformedBytes('text is not UTF-8', { cause })
    }
  }

  /** Refuses bytes after the end of the layout. */
  end(): void {
    if (this.remaining !== 0) throw new MalformedBytes(`${this.remaining} bytes after the end`)
  }

  #take(length: number): number {
    const at = this.#at
    if (length > this.remaining) throw new MalformedBytes(`ends ${length - this.remaining} bytes early`)
    this.#at = at + length
    return at
  }
}
