// Where an event id is recorded: a hash table over the id column, 16 bytes and two slots an event.

import type { GlobalPosition } from '../log/event.ts'
import { ID_BYTES } from '../log/event-id.ts'

const FREE = 0

/** Knows the id of every position, given in order from 1. The latest position of an id counts. */
export class EventIdTable {
  #ids = new Uint8Array(1024 * ID_BYTES)
  #count = 0
  #slots = new Uint32Array(2048)

  add(id: Uint8Array): void {
    if ((this.#count + 1) * ID_BYTES > this.#ids.length) this.#growIds()
    this.#ids.set(id, this.#count * ID_BYTES)
    this.#count++
    if (this.#count * 2 > this.#slots.length) this.#growSlots()
    else this.#insert(this.#count)
  }

  positionOf(id: Uint8Array): GlobalPosition | undefined {
    const slot = this.#slotOf(id, 0)
    return this.#slots[slot] === FREE ? undefined : this.#slots[slot]
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
    for (let i = 0; i < ID_BYTES; i++) if (this.#ids[start + i] !== ids[offset + i]) return false
    return true
  }

  #growIds(): void {
    const grown = new Uint8Array(this.#ids.length * 2)
    grown.set(this.#ids)
    this.#ids = grown
  }

  #growSlots(): void {
    this.#slots = new Uint32Array(this.#slots.length * 2)
    for (let position = 1; position <= this.#count; position++) this.#insert(position)
  }
}

// FNV-1a over all bytes: version 7 ids share their first bytes, foreign ids may share any.
function hash(ids: Uint8Array, offset: number): number {
  let value = 0x811c9dc5
  for (let i = 0; i < ID_BYTES; i++) value = Math.imul(value ^ ids[offset + i]!, 0x01000193)
  return (value ^ (value >>> 15)) >>> 0
}
