// Answers that cross the port: what was thrown becomes a value.

import { wireErrorOf } from '../src/protocol/wire-error.ts'
import type { Reply } from '../src/protocol/worker-api.ts'

export async function replyOf<T>(work: () => T | Promise<T>): Promise<Reply<T>> {
  try {
    return { ok: true, value: await work() }
  } catch (error) {
    return { ok: false, error: wireErrorOf(error) }
  }
}
