// Verifications under way: their progress keeps the call alive, their signal ends it.

import { StoreError } from '../log/errors.ts'
import type { VerifyOptions, VerifyProgress, VerifyReport } from '../model/event-store.ts'
import { callSafely } from './readable.ts'
import type { WorkerLink } from './worker-link.ts'

export class Verifications {
  readonly #link: WorkerLink
  readonly #onProgress = new Map<number, (progress: VerifyProgress) => void>()
  #lastId = 0

  constructor(link: WorkerLink) {
    this.#link = link
  }

  /** @throws `StoreError` `aborted` as soon as the signal is; the worker stops soon after. */
  async verify({ onProgress, signal, ...options }: VerifyOptions): Promise<VerifyReport> {
    if (signal?.aborted) throw aborted()
    const callId = ++this.#lastId
    const onExtend = (extend: () => void) =>
      this.#onProgress.set(callId, progress => {
        extend()
        callSafely(() => onProgress?.(progress))
      })
    const ended = new AbortController()
    try {
      const cancelled = signal && this.#cancelled(callId, signal, ended.signal)
      const report = this.#link.call(worker => worker.verify(callId, options), { onExtend })
      return await (cancelled ? Promise.race([report, cancelled]) : report)
    } finally {
      this.#onProgress.delete(callId)
      ended.abort()
    }
  }

  progress(callId: number, progress: VerifyProgress): void {
    this.#onProgress.get(callId)?.(progress)
  }

  #cancelled(callId: number, signal: AbortSignal, ended: AbortSignal): Promise<never> {
    return new Promise((_, reject) => {
      const cancel = () => {
        this.#link.tell(worker => worker.cancel(callId))
        reject(aborted())
      }
      signal.addEventListener('abort', cancel, { signal: ended })
    })
  }
}

const aborted = (): StoreError => new StoreError('aborted', 'The verification was aborted')
