// Writes that cross to the worker in one message: the calls in order, and the events of all of them in one batch.

import * as Comlink from 'comlink'
import { TextCollector } from '../log/event-batch.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { AppendResult, StreamAppend } from '../model/event-store.ts'
import type { WriteAnswers, WriteCall, WriteMessage } from '../protocol/worker-api.ts'

/** A call that waits for its answer. */
export interface Write {
  readonly call: WriteCall
  /** `take` gives the next results of appends. */
  settle(answer: WriteAnswers['answers'][number] | undefined, take: (count: number) => AppendResult[]): void
  reject(error: unknown): void
}

/** So much is sent at once: the worker has something to do while the page fills the next parcel. */
const FULL_WRITES = 1_024
const FULL_CHARS = 512 * 1024
/** How long one slice of a large append may take. */
const SLICE_MS = 5
/** Events between two looks at the clock. */
const SLICE_EVENTS = 256

export class Parcel {
  readonly writes: Write[] = []
  readonly #texts = new TextCollector()

  get isFull(): boolean {
    return this.writes.length >= FULL_WRITES || this.#texts.chars >= FULL_CHARS
  }

  /**
   * Takes in the events of an append, or none of them.
   *
   * @throws `InvalidEvent` with the path of the first value that the log cannot carry.
   */
  pack(appends: readonly StreamAppend[]): void {
    const before = this.#texts.count
    try {
      for (const { events } of appends) this.#texts.addAll(events)
    } catch (error) {
      this.#texts.truncate(before)
      throw error
    }
  }

  /** As {@link pack}, letting input and frames between. Nothing else may be packed meanwhile. */
  async packInSlices(appends: readonly StreamAppend[]): Promise<void> {
    let sliceEnd = performance.now() + SLICE_MS
    for (const { events } of appends) {
      this.#texts.begin(events.length)
      for (const [i, event] of events.entries()) {
        this.#texts.add(event)
        if (i % SLICE_EVENTS !== 0 || performance.now() < sliceEnd) continue
        await nextTask()
        sliceEnd = performance.now() + SLICE_MS
      }
    }
  }

  /** The message, anew each time: what was transferred to a worker that died is gone with it. */
  toMessage(): WriteMessage {
    const batch = this.#texts.toBatch()
    const { typeOf, ids, payloads, metadata } = batch
    const columns = [typeOf, ids, payloads.bytes, payloads.ends, metadata.bytes, metadata.ends]
    return Comlink.transfer(
      { calls: this.writes.map(({ call }) => call), batch },
      columns.map(({ buffer }) => buffer),
    )
  }

  /** Ids of the events of each write, in order. */
  *eventIds(): Generator<string[]> {
    let next = 0
    for (const { call } of this.writes) {
      const count = eventsOf(call)
      yield Array.from({ length: count }, (_, i) => eventIdOf(this.#texts.idOf(next + i)))
      next += count
    }
  }
}

const eventsOf = (call: WriteCall): number =>
  call.type === 'append' ? call.appends.reduce((sum, { count }) => sum + count, 0) : 0

/** Resolves behind what waits already: input, frames, messages. */
function nextTask(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve))
}
