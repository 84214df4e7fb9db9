// Verifies a log, and goes on with the last verification where it was aborted.

import type { VerifyOptions, VerifyReport } from '../model/event-store.ts'
import { Verification, type VerificationParts } from './verification.ts'

export class LogVerifier {
  readonly #parts: VerificationParts
  /** The last one, if it was aborted. */
  #paused: Verification | null = null

  constructor(parts: VerificationParts) {
    this.#parts = parts
  }

  async verify(options: VerifyOptions = {}): Promise<VerifyReport> {
    const level = options.level ?? 'full'
    const paused = options.resume && this.#paused?.level === level ? this.#paused : null
    const verification = paused ?? new Verification(level, this.#parts)
    this.#paused = verification
    const report = await verification.run(options)
    if (this.#paused === verification) this.#paused = null
    return report
  }
}
