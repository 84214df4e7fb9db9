// Writes on their way to the worker: those of one tick cross together, in order, and settle one by one.

import { StoreError } from '../log/errors.ts'
import type { AppendResult, AppendToStreamsOptions, StreamAppend } from '../model/event-store.ts'
import { unpackResults } from '../protocol/packed-results.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import type { AppendCall, ExecuteAnswer, ExecuteCall, WriteAnswers } from '../protocol/worker-api.ts'
import { Parcel, type Write } from './parcel.ts'
import { withIds } from './with-ids.ts'
import type { WorkerLink } from './worker-link.ts'

/** Appends up to this many events are checked at once: less than a millisecond. Larger ones are, in slices. */
const AT_ONCE = 512

type Answer = Parameters<Write['settle']>[0]

export class WriteQueue {
  readonly #link: WorkerLink
  readonly #accepting = new Map<number, (results: readonly AppendResult[]) => void>()
  #acceptIds = 0
  /** In order. What stands behind one that is being packed waits. */
  #parcels: Parcel[] = []
  readonly #packing = new Map<Parcel, Promise<void>>()
  #isSendDue = false
  #isClosed = false

  constructor(link: WorkerLink) {
    this.#link = link
  }

  /** Rejects with `InvalidEvent`, nothing sent, for a value that the log cannot carry. */
  append(
    appends: readonly StreamAppend[],
    options: AppendToStreamsOptions,
  ): Promise<readonly AppendResult[]> {
    return new Promise((resolve, reject) => {
      const write = new AppendWrite(this.#callOf(appends, options), resolve, reject)
      if (countOf(appends) > AT_ONCE) this.#enqueueLarge(write, appends)
      else this.#enqueue(write, appends)
    })
  }

  execute(call: ExecuteCall): Promise<ExecuteAnswer> {
    return new Promise((resolve, reject) => {
      this.#enqueue(new ExecuteWrite(call, resolve, reject), [])
    })
  }

  /** The worker has judged an append. */
  accepted(acceptId: number, results: readonly AppendResult[]): void {
    this.#accepting.get(acceptId)?.(results)
  }

  /** Takes no more, and resolves when all that was taken is on its way. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#sendReady()
    while (this.#packing.size > 0) await Promise.all(this.#packing.values())
  }

  #enqueue(write: Write, appends: readonly StreamAppend[]): void {
    this.#checkOpen()
    const parcel = this.#openParcel()
    parcel.pack(appends)
    parcel.writes.push(write)
    if (parcel.isFull) this.#sendReady()
    else if (!this.#isSendDue) queueMicrotask(() => this.#sendReady())
    this.#isSendDue = !parcel.isFull
  }

  #enqueueLarge(write: Write, appends: readonly StreamAppend[]): void {
    this.#checkOpen()
    const parcel = new Parcel()
    const packed = parcel.packInSlices(appends).then(
      () => {
        parcel.writes.push(write)
      },
      error => write.reject(error),
    )
    this.#parcels.push(parcel)
    this.#packing.set(
      parcel,
      packed.then(() => {
        this.#packing.delete(parcel)
        this.#sendReady()
      }),
    )
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new StoreError('store-closed', 'The store is closed')
  }

  #openParcel(): Parcel {
    const last = this.#parcels.at(-1)
    if (last && !this.#packing.has(last)) return last
    const parcel = new Parcel()
    this.#parcels.push(parcel)
    return parcel
  }

  #sendReady(): void {
    this.#isSendDue = false
    const waiting = this.#parcels.findIndex(parcel => this.#packing.has(parcel))
    const ready = this.#parcels.splice(0, waiting < 0 ? this.#parcels.length : waiting)
    for (const parcel of ready) if (parcel.writes.length > 0) void this.#send(parcel)
  }

  async #send(parcel: Parcel): Promise<void> {
    const { writes } = parcel
    try {
      settleAll(writes, await this.#link.call(worker => worker.write(parcel.toMessage())))
    } catch (error) {
      const eventIds = parcel.eventIds()
      for (const { call, reject } of writes) reject(withIds(error, idsOf(call, eventIds.next().value!)))
    } finally {
      for (const { call } of writes) if (call.type === 'append') this.#accepting.delete(call.acceptId ?? 0)
    }
  }

  #callOf(appends: readonly StreamAppend[], { onConflict, onAccepted }: AppendToStreamsOptions): AppendCall {
    const acceptId = onAccepted && ++this.#acceptIds
    if (acceptId) this.#accepting.set(acceptId, onAccepted)
    return {
      type: 'append',
      appends: appends.map(({ streamName, expectedStreamVersion = 'NO_CONCURRENCY_CHECK', events }) => ({
        streamName,
        expectedStreamVersion,
        count: events.length,
      })),
      ...(onConflict && { onConflict }),
      ...(acceptId && { acceptId }),
    }
  }
}

const countOf = (appends: readonly StreamAppend[]): number =>
  appends.reduce((sum, { events }) => sum + events.length, 0)

class AppendWrite implements Write {
  readonly call: AppendCall
  readonly reject: (error: unknown) => void
  readonly #resolve: (results: readonly AppendResult[]) => void

  constructor(
    call: AppendCall,
    resolve: (results: readonly AppendResult[]) => void,
    reject: (error: unknown) => void,
  ) {
    this.call = call
    this.#resolve = resolve
    this.reject = reject
  }

  settle(answer: Answer, take: (count: number) => AppendResult[]): void {
    if (typeof answer === 'number') this.#resolve(take(answer))
    else this.reject(answer?.ok === false ? errorFromWire(answer.error) : misplaced())
  }
}

class ExecuteWrite implements Write {
  readonly call: ExecuteCall
  readonly reject: (error: unknown) => void
  readonly #resolve: (answer: ExecuteAnswer) => void

  constructor(call: ExecuteCall, resolve: (answer: ExecuteAnswer) => void, reject: (error: unknown) => void) {
    this.call = call
    this.#resolve = resolve
    this.reject = reject
  }

  settle(answer: Answer): void {
    if (typeof answer !== 'object') this.reject(misplaced())
    else if (answer.ok) this.#resolve(answer.value)
    else this.reject(errorFromWire(answer.error))
  }
}

function settleAll(writes: readonly Write[], { answers, results }: WriteAnswers): void {
  let next = 0
  const take = (count: number): AppendResult[] => {
    next += count
    return unpackResults(results, next - count, count)
  }
  for (const [i, write] of writes.entries()) write.settle(answers[i], take)
}

const idsOf = (call: Write['call'], eventIds: readonly string[]) =>
  call.type === 'append' ? { eventIds } : { commandId: call.commandId }

function misplaced(): StoreError {
  return new StoreError('worker-died', 'The worker answered another question than it was asked')
}
