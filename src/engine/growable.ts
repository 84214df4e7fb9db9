// Typed arrays that grow: an index of a million events must not be a million objects.

/** Numbers from 0 to 2^32 - 1. */
export class GrowableUint32 {
  #values: Uint32Array
  #length = 0

  constructor(capacity = 16) {
    this.#values = new Uint32Array(capacity)
  }

  get length(): number {
    return this.#length
  }

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const grown = new Uint32Array(this.#length * 2)
      grown.set(this.#values)
      this.#values = grown
    }
    this.#values[this.#length++] = value
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

  /** A copy of the values in [start, end). */
  slice(start: number, end: number = this.#length): Uint32Array<ArrayBuffer> {
    return this.#values.slice(start, Math.min(end, this.#length))
  }
}
