// This tab's part in sync: it runs the loop, or follows the tab that does and passes on what the page wants.

import type { EventLog } from '../src/engine/event-log.ts'
import type { ConfirmedSource } from '../src/engine/recovery/healing.ts'
import type { LogCheckpoint } from '../src/log/proofs.ts'
import type { StreamPattern } from '../src/log/stream-pattern.ts'
import type { PlainError, PushMark, SyncStatus } from '../src/model/sync-status.ts'
import type { Fetch, TokenSource } from '../src/sync/authorized-fetch.ts'
import { confirmedCommits } from '../src/sync/confirmed-commits.ts'
import type { LoopStatus } from '../src/sync/status-of.ts'
import type { SyncLoop, SyncLoopOptions } from '../src/sync/sync-loop.ts'
import { type WitnessAnswer, WitnessClient } from '../src/sync/witness-client.ts'
import { Leadership } from './leadership.ts'
import { SilenceWatch } from './silence-watch.ts'
import { SYNC_TIMINGS, type SyncTimings } from './sync-timings.ts'
import type { TabChannel } from './tab-channel.ts'
import { TokenKeeper } from './token-keeper.ts'
import { WaitingHere } from './waiting-here.ts'

/** Where to sync, and as whom. */
export type SyncTarget = Readonly<{
  url: string
  /** Bearer token, or where to get one. Without one, the page is asked, and sync waits for `sync.setToken`. */
  token?: string | TokenSource
  /**
   * The key (vkey, as `GET /v1/head` shows it) that the server must sign with: nothing of a server with another one, or
   * with none, is taken in. Left out: the first one that it shows is its own from then on.
   */
  serverKey?: string
  /**
   * Which streams of the store this device holds: patterns, each a whole name or the beginning of names with a `*` at its
   * end. Left out: all. See docs/partial-sync.md.
   */
  streams?: readonly StreamPattern[]
}>

/** What the page can do about sync. */
export interface SyncSwitch {
  /** Once. Tells the status from then on. */
  start(): Promise<void>
  status(): SyncStatus
  /** Up to where pushes were answered, as far as this tab has heard; null for nothing. */
  pushed(): PushMark | null
  setOnline(online: boolean): void
  /** Looks again whether the browser says that there is a network. */
  networkChanged(): void
  setToken(token: string): void
  poke(): void
  /** There is a new checkpoint of the log, for the witness to sign. */
  witness(checkpoint: LogCheckpoint): void
  /** Where what the server has confirmed can be read once more, in every tab. */
  readonly confirmed: ConfirmedSource
  /** Resolves when this tab does nothing more for sync; its signal ends it. */
  ended(): Promise<void>
}

/** Without a server there is nothing to switch; the status tells what would wait for one. */
export function createSyncOff(options: Pick<SyncRoleOptions, 'log' | 'onStatus' | 'signal'>): SyncSwitch {
  const { log, onStatus, signal } = options
  const tell = () => onStatus(status())
  const waiting = new WaitingHere({ log, onChange: tell, signal })
  const status = () => restingStatus('off', log, waiting)
  const nothing = () => {}
  return {
    async start() {
      await waiting.refresh()
      log.onChange(tell, signal)
    },
    status,
    pushed: () => null,
    setOnline: nothing,
    networkChanged: nothing,
    setToken: nothing,
    poke: () => void waiting.refresh(),
    witness: nothing,
    confirmed: async () => ({ type: 'unanswered' }),
    ended: () => Promise.resolve(),
  }
}

export type SyncRoleOptions = Readonly<{
  log: EventLog
  target: SyncTarget
  channel: TabChannel
  /** Of the leader's lock. */
  name: string
  createLoop: (options: SyncLoopOptions) => SyncLoop
  /** Asks the page for another token than the one that was refused. Null when it has none. */
  renewToken: () => Promise<string | null>
  onStatus: (status: SyncStatus) => void
  /** What the witness made of a checkpoint. */
  onWitnessed: (answer: WitnessAnswer, checkpoint: LogCheckpoint) => void
  /** The server contradicted itself. */
  onInconsistent: (error: PlainError) => void
  timings?: SyncTimings
  signal: AbortSignal
}>

export class SyncRole implements SyncSwitch {
  readonly #options: SyncRoleOptions
  readonly #leadership: Leadership
  #ended: Promise<void> = Promise.resolve()
  readonly #waiting: WaitingHere
  #status: SyncStatus
  /** A hint of the tab that syncs: lost, it says less than there is to say, and never more. */
  #pushed: PushMark | null = null
  /** Non-null while this tab leads. */
  #loop: SyncLoop | null = null
  readonly #tokens: TokenKeeper
  /** The application's switch, the same in all tabs. */
  #isWanted = true
  /** The latest checkpoint, until the witness has seen it. */
  #unwitnessed: LogCheckpoint | null = null
  /** Non-null while this tab leads. */
  #witness: WitnessClient | null = null
  readonly #timings: SyncTimings
  readonly #silence: SilenceWatch

  constructor(options: SyncRoleOptions) {
    this.#options = options
    const { log, name, signal, channel, target, renewToken, timings = SYNC_TIMINGS } = options
    this.#timings = timings
    this.#waiting = new WaitingHere({ log, onChange: () => this.#waitingChanged(), signal })
    this.#status = restingStatus('follower', log, this.#waiting)
    this.#tokens = new TokenKeeper({
      token: target.token,
      renew: renewToken,
      onRenewed: token => channel.post({ type: 'set-token', token }),
    })
    this.#leadership = new Leadership({ name, signal, lead: lost => this.#lead(lost) })
    this.#silence = new SilenceWatch({
      name,
      timings,
      onSilent: () => this.#leadership.steal(),
      signal,
    })
  }

  async start(): Promise<void> {
    await this.#waiting.refresh()
    this.#listen()
    this.#ended = this.#leadership.run()
    this.#heard()
  }

  status(): SyncStatus {
    return this.#status
  }

  pushed(): PushMark | null {
    return this.#pushed
  }

  setOnline(online: boolean): void {
    this.#want(online)
    this.#options.channel.post({ type: 'set-online', online })
  }

  networkChanged(): void {
    this.#applyOnline()
  }

  setToken(token: string): void {
    this.#take(token)
    this.#options.channel.post({ type: 'set-token', token })
  }

  poke(): void {
    this.#loop?.poke()
    this.#options.channel.post({ type: 'poke' })
  }

  witness(checkpoint: LogCheckpoint): void {
    this.#unwitnessed = checkpoint
    this.#askWitness()
  }

  readonly confirmed: ConfirmedSource = (behind, take) => {
    const { log, target, signal } = this.#options
    if (!this.#isOnline) return Promise.resolve({ type: 'unanswered' })
    const access = { url: target.url, token: this.#tokens.source, fetch: globalFetch }
    const { streams } = log.cursor()
    return confirmedCommits({ ...access, hash: log.hash, streams, signal })(behind, take)
  }

  ended(): Promise<void> {
    return this.#ended
  }

  async #lead(lost: AbortSignal): Promise<void> {
    const { log, target, createLoop } = this.#options
    this.#silence.stop()
    const loop = createLoop({
      log,
      url: target.url,
      token: this.#tokens.source,
      serverKey: target.serverKey,
      streams: target.streams,
      onStatus: status => this.#tell(status),
      onPushed: mark => {
        this.#pushed = mark
      },
    })
    this.#loop = loop
    const access = { url: target.url, token: this.#tokens.source, fetch: globalFetch }
    this.#witness = new WitnessClient({ log, ...access, signal: lost })
    this.#applyOnline()
    loop.start()
    const beat = () => {
      this.#tell(loop.status())
      this.#readOn()
    }
    beat()
    const heartbeat = setInterval(beat, this.#timings.heartbeatMs)
    await aborted(lost)
    clearInterval(heartbeat)
    this.#loop = null
    this.#witness = null
    this.#heard()
    await loop.stop()
  }

  #listen(): void {
    const { channel, signal } = this.#options
    channel.on('sync-status', ({ status, online, pushed, head }) => {
      if (this.#loop) return
      if (head !== undefined && head > this.#options.log.head()) this.#readOn()
      this.#isWanted = online
      // A tab with an older release says neither.
      this.#pushed = pushed ?? this.#pushed
      this.#show({ ...status, oldestPendingAt: status.oldestPendingAt ?? this.#waiting.oldestPendingAt })
      this.#heard()
    })
    channel.on('sync-status-wanted', () => {
      if (this.#loop) this.#tell(this.#loop.status())
    })
    channel.on('set-online', ({ online }) => this.#want(online))
    channel.on('set-token', ({ token }) => this.#take(token))
    channel.on('poke', () => this.#loop?.poke())
    channel.post({ type: 'sync-status-wanted' })
    for (const type of ['online', 'offline']) {
      globalThis.addEventListener?.(type, () => this.#applyOnline(), { signal })
    }
  }

  #want(online: boolean): void {
    this.#isWanted = online
    this.#applyOnline()
  }

  #take(token: string): void {
    this.#tokens.set(token)
    this.#loop?.poke()
  }

  #applyOnline(): void {
    this.#loop?.setOnline(this.#isOnline)
  }

  get #isOnline(): boolean {
    // Undefined where nobody knows, such as Node: then the requests will tell.
    const hasNetwork = globalThis.navigator?.onLine !== false
    return this.#isWanted && hasNetwork
  }

  /** Behind what is to be pushed, never before it. */
  #askWitness(): void {
    const [checkpoint, witness] = [this.#unwitnessed, this.#witness]
    if (!checkpoint || !witness || this.#loop?.status().phase !== 'idle') return
    this.#unwitnessed = null
    witness.submit(checkpoint).then(
      answer => this.#options.onWitnessed(answer, checkpoint),
      // The storage's failure: the next one that uses it tells.
      () => {},
    )
  }

  #waitingChanged(): void {
    if (this.#loop) this.#tell(this.#loop.status())
    else if (this.#status.phase === 'follower')
      this.#show(restingStatus('follower', this.#options.log, this.#waiting))
  }

  #tell(loopStatus: LoopStatus): void {
    const status = { ...loopStatus, oldestPendingAt: this.#waiting.oldestPendingAt }
    if (status.error?.code === 'server-inconsistent') this.#options.onInconsistent(status.error)
    this.#askWitness()
    this.#show(status)
    const [pushed, head] = [this.#pushed, this.#options.log.head()]
    this.#options.channel.post({ type: 'sync-status', status, online: this.#isWanted, pushed, head })
  }

  /** What this tab was not told of, since a hint was lost. A storage that fails tells whoever uses it next. */
  #readOn(): void {
    this.#options.log.catchUp().catch(() => {})
  }

  #show(status: SyncStatus): void {
    this.#status = status
    this.#options.onStatus(status)
  }

  #heard(): void {
    if (!this.#loop) this.#silence.heard()
  }
}

const globalFetch: Fetch = (url, init) => globalThis.fetch(url, init)

/** The status of a replica that does not sync, or does not know yet who does. */
function restingStatus(phase: 'off' | 'follower', log: EventLog, waiting: WaitingHere): SyncStatus {
  return {
    phase,
    pending: log.pendingCount(),
    oldestPendingAt: waiting.oldestPendingAt,
    rejected: waiting.rejected,
    serverPosition: log.cursor().serverPosition,
    unsentErasures: log.erasures.cursor.unsentTo(log.cursor().epoch).length,
    lastContactAt: null,
    retryAt: null,
    error: null,
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
