// Has the server witness the checkpoints of this device: that its log goes on from what it was.

import type { EventLog } from '../engine/event-log.ts'
import { bytesOfHex, textOf, utf8 } from '../log/bytes.ts'
import type { LogCheckpoint } from '../log/proofs.ts'
import { encodeAddCheckpoint } from '../protocol/witness-messages.ts'
import { authorizedFetch, type ServerAccess } from './authorized-fetch.ts'
import { type Clock, systemClock } from './clock.ts'
import { readBody } from './response-body.ts'
import { createWatchdog } from './watchdog.ts'

/** What became of a checkpoint. */
export type WitnessAnswer =
  | Readonly<{ type: 'cosigned'; size: number; text: string }>
  /** The witness has signed more of this device's log than there is: the log went back. */
  | Readonly<{ type: 'behind'; pinned: number }>
  /** The log does not go on from what the witness has signed. */
  | Readonly<{ type: 'forked'; pinned: string | null }>
  /** Nothing can be said: no network, no witness, or a busy one. The next checkpoint asks again. */
  | Readonly<{ type: 'none' }>

export type WitnessOptions = ServerAccess &
  Readonly<{ log: Pick<EventLog, 'proofs' | 'storage'>; clock?: Clock; signal: AbortSignal }>

const PATIENCE_MS = 30_000
const MAX_ANSWER_BYTES = 256 * 1024
const PINNED = 'witness/pinned'
const NOTHING: WitnessAnswer = { type: 'none' }

/** What the witness has signed of which log. */
type Pinned = Readonly<{ origin: string; size: number; text: string }>

type Answer = Readonly<{ status: number; body: string }>

export class WitnessClient {
  readonly #options: WitnessOptions
  #isWitness = true

  constructor(options: WitnessOptions) {
    this.#options = options
  }

  /** @param checkpoint of the log as it is, signed */
  async submit(checkpoint: LogCheckpoint): Promise<WitnessAnswer> {
    if (!this.#isWitness || checkpoint.signing.status !== 'signed' || checkpoint.size === 0) return NOTHING
    const pinned = await this.#pinned()
    if (pinned?.origin === checkpoint.origin) {
      if (pinned.size === checkpoint.size) return { type: 'cosigned', ...pinned }
      return this.#add(checkpoint, pinned.size)
    }
    return this.#register(checkpoint, false)
  }

  async #register(checkpoint: LogCheckpoint, isAgain: boolean): Promise<WitnessAnswer> {
    if (checkpoint.signing.status !== 'signed') return NOTHING
    const registered = await this.#post('/v1/witness/keys', checkpoint.signing.verifierKey)
    if (registered?.status === 404) this.#isWitness = false
    return registered?.status === 204 ? this.#add(checkpoint, 0, isAgain) : NOTHING
  }

  async #add(checkpoint: LogCheckpoint, oldSize: number, isAgain = false): Promise<WitnessAnswer> {
    const { proofs } = this.#options.log
    const { text, size } = checkpoint
    const proof = oldSize > 0 ? (await proofs.proveConsistency(oldSize, size)).hashes.map(bytesOfHex) : []
    const message = encodeAddCheckpoint({ oldSize, proof, checkpoint: text })
    const answer = await this.#post('/v1/witness/add-checkpoint', message)
    switch (answer?.status) {
      case 200:
        return this.#keep(checkpoint, text + answer.body)
      case 404:
        // A witness that was restored to before it knew this device.
        return isAgain ? NOTHING : this.#register(checkpoint, true)
      case 409:
        return this.#judgeSize(checkpoint, answer.body, isAgain)
      case 422:
        return { type: 'forked', pinned: pinnedIn(answer.body) }
      default:
        return NOTHING
    }
  }

  /** Another tab may have been first, or an answer was lost: then the log goes on from what is pinned. */
  async #judgeSize(checkpoint: LogCheckpoint, body: string, isAgain: boolean): Promise<WitnessAnswer> {
    const size = /^\d{1,16}\n$/.test(body) ? Number(body) : Number.NaN
    if (Number.isNaN(size)) return NOTHING
    if (size <= checkpoint.size) return isAgain ? NOTHING : this.#add(checkpoint, size, true)
    // A checkpoint that was made before another tab's is no news; the log as it is now says more.
    const now = await this.#options.log.proofs.checkpoints.make()
    return size > now.size ? { type: 'behind', pinned: size } : NOTHING
  }

  async #keep({ origin, size }: LogCheckpoint, text: string): Promise<WitnessAnswer> {
    const pinned: Pinned = { origin, size, text }
    await this.#options.log.storage.put({ [PINNED]: utf8(JSON.stringify(pinned)) })
    return { type: 'cosigned', ...pinned }
  }

  async #pinned(): Promise<Pinned | null> {
    const stored = await this.#options.log.storage.get(PINNED)
    return stored ? (JSON.parse(textOf(stored)) as Pinned) : null
  }

  /** Null where there is no answer. */
  async #post(path: string, body: string): Promise<Answer | null> {
    const { clock = systemClock, signal } = this.#options
    const watchdog = createWatchdog(clock, PATIENCE_MS, signal)
    try {
      const request = {
        path,
        accept: 'text/plain',
        method: 'POST',
        body: utf8(body),
        type: 'text/plain',
      } as const
      const fetched = await authorizedFetch(this.#options, request, watchdog)
      if (fetched.type !== 'response') return null
      const bytes = await readBody(fetched.response, MAX_ANSWER_BYTES, watchdog)
      return { status: fetched.response.status, body: textOf(bytes) }
    } catch {
      // A connection that broke, or a body that is no answer.
      return null
    } finally {
      watchdog.release()
    }
  }
}

function pinnedIn(body: string): string | null {
  try {
    const { facts } = JSON.parse(body) as { facts?: { pinned?: unknown } }
    return typeof facts?.pinned === 'string' ? facts.pinned : null
  } catch {
    return null
  }
}
