// One question to the worker, until it is settled: by an answer, by its deadline, or by the worker's end.

import type { Remote } from 'comlink'
import { StoreError } from '../log/errors.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import type { Reply, WorkerApi } from '../protocol/worker-api.ts'

/** Asks a worker. Called once more, with another worker, when the first one died. */
export type Ask<T> = (worker: Remote<WorkerApi>) => Promise<Reply<T>>

export type CallOptions = Readonly<{
  /** Ask a new worker when this one dies before it answered. Default true. */
  resend?: boolean
  /** Gets the function that gives the call its whole time again: called when the worker shows progress. */
  onExtend?: (extend: () => void) => void
}>

type Settle = Readonly<{
  timeoutMs: number
  onTimeout: () => void
  onSettled: () => void
}>

/** A timer so late tells that the machine slept or the page hung. */
const SLEPT_MS = 1_000

export class PendingCall<T> {
  readonly answer: Promise<T>
  readonly resend: boolean
  /** How many workers were asked. */
  asked = 0
  readonly #ask: Ask<T>
  readonly #settle: Settle
  #resolve!: (value: T) => void
  #reject!: (error: unknown) => void
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(ask: Ask<T>, options: CallOptions, settle: Settle) {
    this.#ask = ask
    this.#settle = settle
    this.resend = options.resend ?? true
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#arm()
    options.onExtend?.(() => this.#arm())
  }

  askOf(worker: Remote<WorkerApi>): void {
    this.asked++
    this.#ask(worker).then(
      reply => (reply.ok ? this.#resolveWith(reply.value) : this.reject(errorFromWire(reply.error))),
      error => this.reject(error),
    )
  }

  reject(error: unknown): void {
    this.#end()
    this.#reject(error)
  }

  #resolveWith(value: T): void {
    this.#end()
    this.#resolve(value)
  }

  #end(): void {
    clearTimeout(this.#timer)
    this.#settle.onSettled()
  }

  #arm(): void {
    clearTimeout(this.#timer)
    const { timeoutMs, onTimeout } = this.#settle
    const dueAt = Date.now() + timeoutMs
    this.#timer = setTimeout(() => {
      // The worker slept, too: it gets its time again.
      if (Date.now() - dueAt > SLEPT_MS) return this.#arm()
      onTimeout()
      this.reject(new StoreError('worker-timeout', `No answer within ${timeoutMs} ms`, { timeoutMs }))
    }, timeoutMs)
  }
}
