// Typed arrays that grow: an index of a million events must not be a million objects.

/** Numbers from 0 to 2^32 - 1. */
export class GrowableUint32 {
  #values: Uint32Array<ArrayBuffer>
  #length = 0

  constructor(capacity = 16) {
    this.#values = new Uint32Array(capacity)
  }

  /** Takes over `values`: nobody else must write to them. */
  static holding(values: Uint32Array<ArrayBuffer>): GrowableUint32 {
    const growable = new GrowableUint32(0)
    growable.#values = values
    growable.#length = values.length
    return growable
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#values.length) this.#grow(this.#length + 1)
    this.#values[this.#length++] = value
  }

  pushAll(values: Uint32Array): void {
    const length = this.#length + values.length
    if (length > this.#values.length) this.#grow(length)
    this.#values.set(values, this.#length)
    this.#length = length
  }

  #grow(atLeast: number): void {
    const grown = new Uint32Array(Math.max(atLeast, this.#length * 2))
    grown.set(this.#values)
    this.#values = grown
  }

  /** The value at an index below `length`. */
  at(index: number): number {
    return this.#values[index]!
  }

  last(): number | undefined {
    return this.#length === 0 ? undefined : this.#values[this.#length - 1]
  }

  truncate(length: number): void {
    this.#length = Math.min(this.#length, length)
  }

  /** How many values are not larger than `value`. They are in ascending order. */
  countThrough(value: number): number {
    let low = 0
    let high = this.#length
    while (low < high) {
      const middle = (low + high) >> 1
      if (this.#values[middle]! <= value) low = middle + 1
      else high = middle
    }
    return low
  }

  /** All values, as a view that holds until the next `push`. */
  values(): Uint32Array<ArrayBuffer> {
    return this.#values.subarray(0, this.#length)
  }

  /** A copy of the values in [start, end). */
  slice(start: number, end: number = this.#length): Uint32Array<ArrayBuffer> {
    return this.#values.slice(start, Math.min(end, this.#length))
  }
}
