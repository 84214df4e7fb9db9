// What the tabs of one store tell each other. All of it is hints: a lost, doubled or late one does no harm.

import type { GlobalPosition } from '../src/log/event.ts'
import type { PushMark, SyncStatus } from '../src/model/sync-status.ts'

export type TabMessage =
  /** The log ends at least at `head`. */
  | Readonly<{ type: 'grew'; head: GlobalPosition }>
  /**
   * From the tab that syncs, at each change and as a heartbeat. `online`: the application's switch. `head`: where the log
   * ends at least, for who missed that it `grew`; a tab with an older release does not say.
   */
  | Readonly<{
      type: 'sync-status'
      status: SyncStatus
      online: boolean
      pushed: PushMark | null
      head?: GlobalPosition
    }>
  | Readonly<{ type: 'sync-status-wanted' }>
  /** Of any tab, for the one that syncs. */
  | Readonly<{ type: 'set-online'; online: boolean }>
  | Readonly<{ type: 'set-token'; token: string }>
  | Readonly<{ type: 'poke' }>
  /** The log was begun anew: what others know of it is of no use any more. */
  | Readonly<{ type: 'restored' }>
  /** Entries from a position on were put back: what was read of them before does not count. */
  | Readonly<{ type: 'healed'; from: GlobalPosition }>
  /** A projection passes by one more event. */
  | Readonly<{ type: 'event-skipped'; projection: string }>
  /** There is a new one, or one was acknowledged: they are in the store. */
  | Readonly<{ type: 'verdicts-changed' }>

export class TabChannel {
  readonly #channel: BroadcastChannel
  readonly #signal: AbortSignal
  readonly #listeners = new Map<string, (message: TabMessage) => void>()

  /** Closed by the signal. */
  constructor(name: string, signal: AbortSignal) {
    this.#channel = new BroadcastChannel(name)
    this.#signal = signal
    // Messages of another version of the application that are not known here are passed by.
    this.#channel.addEventListener(
      'message',
      ({ data }: MessageEvent<TabMessage | null>) => this.#listeners.get(data?.type ?? '')?.(data!),
      { signal },
    )
    signal.addEventListener('abort', () => this.#channel.close(), { once: true })
  }

  post(message: TabMessage): void {
    if (!this.#signal.aborted) this.#channel.postMessage(message)
  }

  /** One listener for each type of message. */
  on<T extends TabMessage['type']>(
    type: T,
    listener: (message: Extract<TabMessage, { type: T }>) => void,
  ): void {
    this.#listeners.set(type, listener as (message: TabMessage) => void)
  }
}
