// Where an event id is recorded: a hash table over the id column, 16 bytes and two slots an event.

import type { GlobalPosition } from '../log/event.ts'
import { ID_BYTES } from '../log/event-id.ts'

const FREE = 0

/**
 * Knows the id of every position, given in order from 1. The latest position of an id counts. Ids are hashed when one
 * is first looked for: who only reads never pays for it.
 */
export class EventIdTable {
  #ids: Uint8Array<ArrayBuffer>
  #count = 0
  /** How many of the first ids are still to be given. */
  #missing = 0
  /** How many of the ids are in the slots. */
  #hashed = 0
  #slots: Uint32Array

  /** @param capacity how many ids there is room for at first; a power of two */
  constructor(capacity = 1024) {
    this.#ids = new Uint8Array(capacity * ID_BYTES)
    this.#slots = new Uint32Array(capacity * 2)
  }

  /** Takes in the ids of the next positions, 16 bytes each. */
  add(ids: Uint8Array): void {
    const count = this.#count + ids.length / ID_BYTES
    this.#reserve(count)
    this.#ids.set(ids, this.#count * ID_BYTES)
    this.#count = count
  }

  /** Leaves room for the ids of the first positions: {@link fill} gives them. To be called before any is added. */
  leaveRoom(count: number): void {
    this.#reserve(count)
    this.#count = count
    this.#missing = count
  }

  /** The ids of the next positions that there was room left for, 16 bytes each. */
  fill(ids: Uint8Array, first: GlobalPosition): void {
    this.#ids.set(ids, (first - 1) * ID_BYTES)
    this.#missing -= ids.length / ID_BYTES
  }

  /** The position of the id at byte `offset` of `ids`. */
  positionOf(ids: Uint8Array, offset = 0): GlobalPosition | undefined {
    if (this.#count === 0) return undefined
    this.hashSome(Infinity)
    const slot = this.#slotOf(ids, offset)
    return this.#slots[slot] === FREE ? undefined : this.#slots[slot]
  }

  /** Forgets all ids behind the first `count`. */
  truncate(count: number): void {
    this.#count = count
    this.#hashed = 0
    this.#slots.fill(FREE)
  }

  /** Gets ready for look-ups, by up to `max` ids. False when more are left. */
  hashSome(max: number): boolean {
    if (this.#missing > 0) throw new Error(`${this.#missing} event ids are not read yet`)
    const end = Math.min(this.#count, this.#hashed + max)
    while (this.#hashed < end) this.#insert(++this.#hashed)
    return end === this.#count
  }

  /** Ids of the positions in [from, to], 16 bytes each, as a copy. */
  slice(from: GlobalPosition, to: GlobalPosition): Uint8Array<ArrayBuffer> {
    return this.#ids.slice((from - 1) * ID_BYTES, to * ID_BYTES)
  }

  #insert(position: GlobalPosition): void {
    this.#slots[this.#slotOf(this.#ids, (position - 1) * ID_BYTES)] = position
  }

  /** The slot that holds the id at `offset` in `ids`, or the free one where it belongs. */
  #slotOf(ids: Uint8Array, offset: number): number {
    const mask = this.#slots.length - 1
    let slot = hash(ids, offset) & mask
    for (;;) {
      const position = this.#slots[slot]!
      if (position === FREE || this.#equals(position, ids, offset)) return slot
      slot = (slot + 1) & mask
    }
  }

  #equals(position: GlobalPosition, ids: Uint8Array, offset: number): boolean {
    const start = (position - 1) * ID_BYTES
    // From the end: ids of the same time begin alike.
    for (let i = ID_BYTES - 1; i >= 0; i--) if (this.#ids[start + i] !== ids[offset + i]) return false
    return true
  }

  #reserve(count: number): void {
    let capacity = this.#slots.length / 2
    if (count <= capacity) return
    while (capacity < count) capacity *= 2
    const grown = new Uint8Array(capacity * ID_BYTES)
    grown.set(this.#ids.subarray(0, this.#count * ID_BYTES))
    this.#ids = grown
    this.#slots = new Uint32Array(capacity * 2)
    this.#hashed = 0
  }
}

// Over all bytes, four at a time: version 7 ids share their first bytes, foreign ids may share any.
function hash(ids: Uint8Array, offset: number): number {
  let value = 0x811c9dc5
  for (let i = offset; i < offset + ID_BYTES; i += 4) {
    const word = ids[i]! | (ids[i + 1]! << 8) | (ids[i + 2]! << 16) | (ids[i + 3]! << 24)
    value = Math.imul(value ^ word, 0x9e3779b1)
    value ^= value >>> 15
  }
  return value >>> 0
}
