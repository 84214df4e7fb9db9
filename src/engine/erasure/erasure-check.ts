// Holds a log against what was erased from it: no event is without its content but those that are listed, and none of
// those has it.

import type { Block } from '../../log/block.ts'
import { KIND_AMENDMENT, KIND_ERASED, KIND_SYSTEM } from '../../log/entry.ts'
import type { GlobalPosition } from '../../log/event.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { Failure } from '../chain-follower.ts'
import { ERASURE_STREAM, readErasure } from './erasure-record.ts'
import type { Erasures } from './erasures.ts'

export class ErasureCheck {
  readonly #erasures: Pick<Erasures, 'count' | 'has' | 'isInLog'>
  readonly #named = new Set<string>()
  /** Where events without content stand that no record has named so far: records come behind them. */
  readonly #unnamed = new Map<string, GlobalPosition>()

  constructor(erasures: Pick<Erasures, 'count' | 'has' | 'isInLog'>) {
    this.#erasures = erasures
  }

  /** Looks at the entries of a block at a position and behind. */
  take(block: Block, from: GlobalPosition): Failure | null {
    const { count } = this.#erasures
    const isPlain = count === 0 && !block.kinds.includes(KIND_ERASED) && !block.kinds.includes(KIND_SYSTEM)
    for (let i = from - block.firstPosition; i < block.count && !isPlain; i++) {
      const failure = this.#takeEntry(block, i)
      if (failure) return failure
    }
    return null
  }

  /** To be called behind the last block. */
  finish(): Failure | null {
    for (const [eventId, at] of this.#unnamed) {
      if (this.#isNamed(eventId)) continue
      const detail = `event ${eventId} is without its content, and nothing says that it was erased`
      return { at, problem: 'erasure-mismatch', detail, eventId }
    }
    return null
  }

  #takeEntry(block: Block, i: number): Failure | null {
    const at = block.firstPosition + i
    if (block.kinds[i] === KIND_SYSTEM) {
      if (block.streamNameOf(i) !== ERASURE_STREAM) return null
      const { eventIds } = readErasure(jsonSlice(block.payloads, i), at)
      for (const eventId of eventIds) this.#named.add(eventId)
      return null
    }
    // Whatever is listed, it keeps what it says.
    if (block.kinds[i] === KIND_AMENDMENT) return null
    const eventId = eventIdOf(block.idOf(i))
    if (block.kinds[i] === KIND_ERASED) {
      if (!this.#unnamed.has(eventId)) this.#unnamed.set(eventId, at)
    } else if (this.#erasures.has(eventId)) {
      return { at, problem: 'erasure-mismatch', detail: `event ${eventId} was erased, and has content` }
    }
    return null
  }

  /** On a device, the log itself has to say so; on the server, whose log has no entries of its own, the list. */
  #isNamed(eventId: string): boolean {
    return this.#erasures.isInLog ? this.#named.has(eventId) : this.#erasures.has(eventId)
  }
}
