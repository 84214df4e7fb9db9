// Runs one exchange with a store: the thin shell between its state machine, the log and whoever asked.

import type { Entry } from '../log/entry.ts'
import type { Erasure } from '../model/erasure.ts'
import type { PartOfLog } from '../protocol/part-fields.ts'
import { epochOf } from './epoch.ts'
import { erasuresBehind } from './served-erasures.ts'
import type {
  Answer,
  LogStanding,
  Question,
  ServerEffect,
  ServerInput,
  StreamEffect,
  Work,
} from './server-io.ts'
import { asking, type Exchange as ExchangeState, step } from './server-state.ts'
import type { ServedStore } from './store-registry.ts'

export type Commits = readonly (readonly Entry[])[]

/** What is sent along with a question. */
export type Sent = Readonly<{ commits?: Commits; erasure?: Erasure }>

/** What was read of the log for an answer. */
export type Found = {
  commits: Commits
  /** Null where all of the log is given. */
  part: PartOfLog | null
  erasures: readonly Erasure[]
  root: Uint8Array | null
  checkpoint: string | null
}

/** Carries out what concerns a live client. */
export type StreamHands = (effect: StreamEffect) => void

/**
 * A request; or a stream of hints, from its answer on. `hands` are called for the stream alone, first before `ask` has
 * resolved.
 */
export class Exchange {
  readonly found: Found = { commits: [], part: null, erasures: [], root: null, checkpoint: null }
  readonly #store: ServedStore
  readonly #sent: Sent
  readonly #hands: StreamHands
  #state: ExchangeState
  #onAnswer: (answer: Answer) => void = () => {}
  #failure: unknown

  constructor(store: ServedStore, question: Question, sent: Sent = {}, hands: StreamHands = () => {}) {
    this.#store = store
    this.#sent = sent
    this.#hands = hands
    this.#state = asking(question)
  }

  /** Rejects with whatever could not be done. */
  async ask(): Promise<Exclude<Answer, { type: 'failed' }>> {
    const answered = new Promise<Answer>(resolve => {
      this.#onAnswer = resolve
    })
    this.dispatch({ type: 'asked' })
    const answer = await answered
    if (answer.type === 'failed') throw this.#failure
    return answer
  }

  standing(): LogStanding {
    const { log } = this.#store
    return { head: log.head(), erasures: log.erasures.count }
  }

  dispatch(input: ServerInput): void {
    const before = { store: this.#store.state, exchange: this.#state }
    const [{ store, exchange }, effects] = step(before, input, Date.now())
    // Set first: what is carried out may cause the next input before it returns.
    this.#store.state = store
    this.#state = exchange
    for (const effect of effects) this.#run(effect)
  }

  #run(effect: ServerEffect): void {
    switch (effect.type) {
      case 'answer':
        this.#onAnswer(effect.answer)
        break
      case 'reopen':
        this.#store.leave()
        break
      case 'look':
      case 'readPage':
      case 'admit':
      case 'eraseListed':
      case 'erase':
      case 'listErasures':
      case 'confirm':
        void this.#work(effect).then(input => this.dispatch(input))
        return
      default:
        this.#hands(effect)
        break
    }
  }

  async #work(effect: Work): Promise<ServerInput> {
    try {
      return await this.#done(effect)
    } catch (error) {
      this.#failure = error
      return { type: 'failed' }
    }
  }

  async #done(effect: Work): Promise<ServerInput> {
    const { log } = this.#store
    const { commits = [], erasure } = this.#sent
    switch (effect.type) {
      case 'look':
        await Promise.all([log.catchUp(), log.erasures.refresh()])
        return { type: 'looked', ...(await this.#seen()) }
      case 'readPage': {
        const page = await log.readCommits(effect.after, effect.maxBytes, effect.streams)
        this.found.commits = page.commits
        if (effect.streams)
          this.found.part = { streams: effect.streams, skipped: page.skipped, cut: page.cut }
        return { type: 'pageRead', next: page.next }
      }
      case 'admit':
        return { type: 'admitted', outcome: await log.admit(commits.slice(0, effect.commits)) }
      case 'eraseListed':
        await log.erasures.admitted(commits.slice(0, effect.commits).flat())
        return { type: 'erased' }
      case 'erase':
        await log.erasures.take(erasure!)
        return { type: 'erased' }
      case 'listErasures':
        this.found.erasures = erasuresBehind(effect.after, log)
        return { type: 'listed' }
      case 'confirm':
        if (effect.size !== null) await this.#prove(effect.size, effect.withRoot)
        return { type: 'confirmed', ...(await this.#seen()) }
    }
  }

  async #seen(): Promise<Readonly<{ epoch: string; standing: LogStanding }>> {
    const standing = this.standing()
    return { standing, epoch: await epochOf(this.#store.log) }
  }

  /** No checkpoint where the log has grown on, and where the server does not sign. */
  async #prove(size: number, withRoot: boolean): Promise<void> {
    const { log, signer } = this.#store
    if (signer && log.head() === size) {
      const checkpoint = await log.proofs.checkpoints.make()
      if (checkpoint.size === size) this.found.checkpoint = checkpoint.text
    }
    if (withRoot) this.found.root = await log.proofs.treeRoot(size)
  }
}
