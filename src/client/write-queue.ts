// Writes on their way to the worker: all of one tick cross in one message, in order, and settle one by one.

import * as Comlink from 'comlink'
import { isStoreError, StoreError } from '../log/errors.ts'
import { type EventBatch, idOf } from '../log/event-batch.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { AppendResult } from '../model/event-store.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import type {
  AppendCall,
  ExecuteAnswer,
  ExecuteCall,
  Reply,
  WriteAnswer,
  WriteCall,
} from '../protocol/worker-api.ts'
import { packBatches } from './pack-batches.ts'
import type { WorkerLink } from './worker-link.ts'

type Write = Readonly<{
  call: WriteCall
  settle: (reply: Reply<WriteAnswer>) => void
  reject: (error: unknown) => void
}>

export class WriteQueue {
  readonly #link: WorkerLink
  #writes: Write[] = []

  constructor(link: WorkerLink) {
    this.#link = link
  }

  async append(call: AppendCall): Promise<readonly AppendResult[]> {
    const answer = await this.#enqueue(call)
    if (answer.type !== 'append') throw misplaced()
    return answer.results
  }

  async execute(call: ExecuteCall): Promise<ExecuteAnswer> {
    const answer = await this.#enqueue(call)
    if (answer.type !== 'execute') throw misplaced()
    return answer.result
  }

  /** Sends what waits at once, instead of at the end of the tick. */
  flush(): void {
    const writes = this.#writes
    this.#writes = []
    if (writes.length > 0) void this.#send(writes)
  }

  #enqueue(call: WriteCall): Promise<WriteAnswer> {
    if (this.#writes.length === 0) queueMicrotask(() => this.flush())
    return new Promise((resolve, reject) => {
      const settle = (reply: Reply<WriteAnswer>) =>
        reply.ok ? resolve(reply.value) : reject(errorFromWire(reply.error))
      this.#writes.push({ call, settle, reject })
    })
  }

  async #send(writes: readonly Write[]): Promise<void> {
    const calls = writes.map(({ call }) => call)
    try {
      // Packed at each asking: what was transferred to a worker that died is gone with it.
      const replies = await this.#link.call(worker => worker.write(transferable(calls)))
      for (const [i, { settle, reject }] of writes.entries()) {
        const reply = replies[i]
        if (reply) settle(reply)
        else reject(misplaced())
      }
    } catch (error) {
      for (const { call, reject } of writes) reject(withIds(error, call))
    }
  }
}

function transferable(calls: readonly WriteCall[]): WriteCall[] {
  const batches = calls.flatMap(call =>
    call.type === 'append' ? call.appends.map(({ batch }) => batch) : [],
  )
  const { packed, buffer } = packBatches(batches)
  let next = 0
  const withPacked = calls.map(call =>
    call.type === 'append'
      ? { ...call, appends: call.appends.map(append => ({ ...append, batch: packed[next++]! })) }
      : call,
  )
  return Comlink.transfer(withPacked, [buffer])
}

/** Nobody knows whether a write without an answer took place. With its ids, to try again is safe. */
function withIds(error: unknown, call: WriteCall): unknown {
  if (!isStoreError(error)) return error
  const ids =
    call.type === 'append'
      ? { eventIds: call.appends.flatMap(({ batch }) => idsOf(batch)) }
      : { commandId: call.commandId }
  return new StoreError(error.code, error.message, { ...error.facts, ...ids }, { cause: error })
}

function idsOf(batch: EventBatch): string[] {
  return Array.from({ length: batch.count }, (_, i) => eventIdOf(idOf(batch, i)))
}

function misplaced(): StoreError {
  return new StoreError('worker-died', 'The worker answered another question than it was asked')
}
