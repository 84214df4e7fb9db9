// Watches over the integrity of this replica's log: compares it with its anchor when it is opened, moves the anchor as
// it grows, and makes checkpoints of it.

import type { EventLog } from '../src/engine/event-log.ts'
import {
  compareWithAnchor,
  compareWithCheckpoint,
  type Found,
  foundByWitness,
} from '../src/engine/recovery/compare.ts'
import { anchorOf, type HeadAnchor, parseAnchor } from '../src/engine/recovery/head-anchor.ts'
import type { Salvage } from '../src/engine/recovery/salvage.ts'
import { dropVerdict, readVerdicts } from '../src/engine/recovery/verdict-book.ts'
import type { AuditFailure } from '../src/engine/replay/audit.ts'
import { isStoreError } from '../src/log/errors.ts'
import { newEventId } from '../src/log/event-id.ts'
import type { LogCheckpoint } from '../src/log/proofs.ts'
import type { IntegrityStatus, RecoveryAction, Verdict } from '../src/model/integrity-status.ts'
import type { PlainError } from '../src/model/sync-status.ts'
import type { WitnessAnswer } from '../src/sync/witness-client.ts'
import type { AnchorShelf } from './anchor-shelf.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { TabChannel } from './tab-channel.ts'
import { underLock } from './web-lock.ts'

export type IntegrityWatchOptions = Readonly<{
  log: EventLog
  /** Where what is stored can be known again; without it there is no anchor. */
  place: string | undefined
  shelf: AnchorShelf
  /** The anchor as it was before the log was read: asked for early, so that nobody waits for it. */
  anchorAtOpening: Promise<string | null>
  keys: Pick<DeviceKeys, 'forget'>
  channel: TabChannel
  /** Whether what is lost here can come from a server. */
  hasServer: boolean
  onStatus: (status: IntegrityStatus) => void
  /** Told of each new one. */
  onCheckpoint: (checkpoint: LogCheckpoint) => void
  onError: (error: Error) => void
  signal: AbortSignal
}>

type Look = 'end' | 'all'

/** The anchor is behind the log by this much at most, and a checkpoint follows the last append by as much. */
const LAG_MS = 1_000

export class IntegrityWatch {
  readonly #options: IntegrityWatchOptions
  #checkpoint: LogCheckpoint | null = null
  #witnessed: IntegrityStatus['witnessed'] = null
  #verdicts: readonly Verdict[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #working: Promise<unknown> = Promise.resolve()

  constructor(options: IntegrityWatchOptions) {
    this.#options = options
  }

  /** Resolves when it is known whether the log is what it was. */
  async start(): Promise<void> {
    const { log, channel, signal } = this.#options
    await this.#compareAtOpening()
    this.#checkpoint = await log.proofs.checkpoints.latest()
    await this.#readVerdicts()
    channel.on('verdicts-changed', () => this.#inTurn(() => this.#readVerdicts()))
    log.onChange(() => this.#later(), signal)
    if (log.head() > 0) this.#later()
  }

  status(): IntegrityStatus {
    return { checkpoint: this.#checkpoint, witnessed: this.#witnessed, verdicts: this.#verdicts }
  }

  /** What the witness made of a checkpoint. */
  takeAnswer(answer: WitnessAnswer, checkpoint: LogCheckpoint): Promise<void> {
    return this.#inTurn(async () => {
      if (answer.type === 'none') return
      if (answer.type === 'cosigned') {
        this.#witnessed = { size: answer.size, text: answer.text }
        this.#tell()
        return
      }
      // Of a name that this device has given up, nothing is said any more.
      if (this.#checkpoint?.origin !== checkpoint.origin) return
      await this.#tellAndRenew(foundByWitness(answer, this.#options.log), 'new-identity')
      await this.#readVerdicts()
    })
  }

  /** The server contradicted itself, and sync has stopped. */
  serverFound(error: PlainError): Promise<void> {
    return this.#inTurn(async () => {
      const { log } = this.#options
      if (this.#verdicts.some(({ finding }) => finding === 'server-inconsistent')) return
      const found: Found = {
        finding: 'server-inconsistent',
        at: log.cursor().confirmedThrough + 1,
        atRisk: { events: 0, unsynced: log.pendingCount() },
        detail: error.message,
      }
      await this.#tellOf(found, 'sync-stopped')
      await this.#readVerdicts()
    })
  }

  /** The log was begun anew before it was opened. */
  restored({ lost, lostUnsynced, firstLost, damaged, pending }: Salvage): Promise<void> {
    const kept = pending.reduce((sum, { entries }) => sum + entries.length, 0)
    const found: Found = {
      finding: 'damaged',
      at: firstLost ?? 1,
      atRisk: { events: lost, unsynced: lostUnsynced },
      detail: `${kept} pending events were taken over, ${damaged.length} blocks are in quarantine`,
    }
    return this.#tellOf(found, 'restored')
  }

  /** A projection is not to be trusted any more. */
  projectionFound({ owner, position, events, stateHash, secondStateHash }: AuditFailure): Promise<void> {
    const name = `projection ${owner.name}${owner.streamName === null ? '' : `, document ${owner.streamName}`}`
    const found: Found = {
      finding: 'not-deterministic',
      at: position,
      atRisk: { events: 0, unsynced: 0 },
      detail: `${name}: ${events} events were folded twice, to the states ${stateHash} and ${secondStateHash}`,
    }
    return this.#inTurn(async () => {
      await this.#tellOf(found, 'untrusted')
      await this.#readVerdicts()
    })
  }

  async acknowledge(id: string): Promise<void> {
    await dropVerdict(this.#options.log.storage, id)
    await this.#readVerdicts()
    this.#options.channel.post({ type: 'verdicts-changed' })
  }

  /** Moves the anchor to where the log ends. To be called while the log is open, when nothing is appended any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#inTurn(() => this.#moveAnchor())
  }

  async #compareAtOpening(): Promise<void> {
    const text = await this.#options.anchorAtOpening
    const isAsItWas = !(await this.#differsFrom(text === null ? null : parseAnchor(text), 'end'))
    if (!isAsItWas) await this.#compare('end')
  }

  /** @param look what to look at: the end of the log, which is quick, or all that its last checkpoint says */
  async #compare(look: Look): Promise<void> {
    const { place } = this.#options
    if (!(await this.#whatIsWrong(look))) return
    // Under the lock once more: of several tabs that open at once, one tells.
    await underLock(lockOf(place ?? ''), () => this.#judge(look))
  }

  async #judge(look: Look): Promise<void> {
    const { place, hasServer } = this.#options
    const found = await this.#whatIsWrong(look)
    if (!found) return
    await this.#tellAndRenew(found, hasServer ? 'fetched-again' : 'went-on')
    if (place !== undefined) await this.#writeAnchor()
  }

  /** What this device signed for is not this log: from now on it is another one. */
  async #tellAndRenew(found: Found, action: RecoveryAction): Promise<void> {
    const { log, keys } = this.#options
    await this.#tellOf(found, action)
    await keys.forget()
    await log.proofs.checkpoints.forget()
  }

  #tellOf(found: Found, action: RecoveryAction): Promise<void> {
    return this.#options.log.recordVerdict({ id: newEventId(), action, foundAt: Date.now(), ...found })
  }

  async #whatIsWrong(look: Look): Promise<Found | null> {
    const { log } = this.#options
    const anchor = await this.#anchor()
    await log.proofs.checkpoints.reread()
    // Both are written behind the log: what another tab appended since this one read it is there now.
    await log.catchUp()
    return this.#differsFrom(anchor, look)
  }

  /** The anchor knows of an empty database, and the last checkpoint of one that was cut where there is no anchor. */
  async #differsFrom(anchor: HeadAnchor | null, look: Look): Promise<Found | null> {
    const { log } = this.#options
    const checkpoint = await log.proofs.checkpoints.latest()
    const found = anchor && (await compareWithAnchor(anchor, log))
    if (found || !checkpoint) return found
    return look === 'all' || log.head() < checkpoint.size ? compareWithCheckpoint(checkpoint, log) : null
  }

  #later(): void {
    if (this.#timer !== undefined || this.#options.signal.aborted) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      void this.#inTurn(() => this.#writeDown())
    }, LAG_MS)
  }

  async #writeDown(): Promise<void> {
    await this.#moveAnchor()
    try {
      const { log, onCheckpoint } = this.#options
      this.#checkpoint = await log.proofs.checkpoints.make()
      this.#tell()
      onCheckpoint(this.#checkpoint)
    } catch (error) {
      if (!isStoreError(error, 'log-damaged')) throw error
      await this.#compare('all')
      await this.#readVerdicts()
    }
  }

  async #moveAnchor(): Promise<void> {
    const { place } = this.#options
    if (place === undefined) return
    await underLock(lockOf(place), async () => {
      const anchor = await this.#anchor()
      // Another tab may know of more.
      if ((anchor?.size ?? 0) <= this.#options.log.head()) await this.#writeAnchor()
    })
  }

  async #writeAnchor(): Promise<void> {
    const { log, place, shelf } = this.#options
    const anchor = await anchorOf(log)
    await shelf.write(place!, JSON.stringify(anchor))
  }

  async #anchor(): Promise<HeadAnchor | null> {
    const { place, shelf } = this.#options
    const text = place === undefined ? null : await shelf.read(place)
    return text === null ? null : parseAnchor(text)
  }

  async #readVerdicts(): Promise<void> {
    this.#verdicts = await readVerdicts(this.#options.log.storage)
    this.#tell()
  }

  #tell(): void {
    this.#options.onStatus(this.status())
  }

  /** One thing at a time. What fails is told, and tried again with the next. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const { signal, onError } = this.#options
    const done = this.#working.then(work).catch(error => {
      // Of a storage that ended on its own, the page was told.
      if (signal.aborted && isStoreError(error, 'storage-failed')) return
      onError(error instanceof Error ? error : new Error(String(error)))
    })
    this.#working = done
    return done
  }
}

const lockOf = (place: string): string => `streamdingo:anchor:${place}`
