// Watches over the integrity of this replica's log: compares it with its anchor when it is opened, moves the anchor and
// makes checkpoints as it grows, and carries out what follows on a finding.

import { compareWithAnchor, compareWithCheckpoint, foundByWitness } from '../src/engine/recovery/compare.ts'
import type { HeadAnchor } from '../src/engine/recovery/head-anchor.ts'
import type { Found } from '../src/engine/recovery/recovery-machine.ts'
import { dropVerdict, readVerdicts } from '../src/engine/recovery/verdict-book.ts'
import type { AuditFailure } from '../src/engine/replay/audit.ts'
import type { SnapshotDrop } from '../src/engine/replay/snapshot-store.ts'
import { isStoreError } from '../src/log/errors.ts'
import type { LogCheckpoint } from '../src/log/proofs.ts'
import type { VerifyReport } from '../src/model/event-store.ts'
import type { IntegrityStatus, Verdict } from '../src/model/integrity-status.ts'
import type { PlainError } from '../src/model/sync-status.ts'
import type { WitnessAnswer } from '../src/sync/witness-client.ts'
import { AnchorKeeper, type AnchorKeeperParts } from './anchor-keeper.ts'
import { Recovery, type RecoveryParts } from './recovery.ts'

export type IntegrityWatchOptions = AnchorKeeperParts &
  Omit<RecoveryParts, 'inTurn' | 'onTold'> &
  Readonly<{
    onStatus: (status: IntegrityStatus) => void
    /** Told of each new one. */
    onCheckpoint: (checkpoint: LogCheckpoint) => void
  }>

type Look = 'end' | 'all'

const NOTHING: Verdict['atRisk'] = { events: 0, unsynced: 0, bytes: 0 }

/** The anchor is behind the log by this much at most, and a checkpoint follows the last append by as much. */
const LAG_MS = 1_000

export class IntegrityWatch {
  readonly #options: IntegrityWatchOptions
  readonly #anchor: AnchorKeeper
  readonly #recovery: Recovery
  #checkpoint: LogCheckpoint | null = null
  #witnessed: IntegrityStatus['witnessed'] = null
  #verdicts: readonly Verdict[] = []
  #timer: ReturnType<typeof setTimeout> | undefined
  #working: Promise<unknown> = Promise.resolve()

  constructor(options: IntegrityWatchOptions) {
    this.#options = options
    this.#anchor = new AnchorKeeper(options)
    this.#recovery = new Recovery({
      ...options,
      inTurn: work => this.#inTurn(work),
      onTold: () => this.#readVerdicts(),
    })
  }

  /** Resolves when it is known whether the log is what it was. */
  async start(): Promise<void> {
    const { log, channel, signal } = this.#options
    await this.#compareAtOpening()
    this.#checkpoint = await log.proofs.checkpoints.latest()
    await this.#readVerdicts()
    channel.on('verdicts-changed', () => this.#inTurn(() => this.#readVerdicts()))
    log.onChange(() => this.#later(), signal)
    log.onDamaged(position => this.#recovery.blockFound(position), signal)
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
      await this.#recovery.found(foundByWitness(answer, this.#options.log))
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
        atRisk: { events: 0, unsynced: log.pendingCount(), bytes: null },
        detail: error.message,
      }
      await this.#recovery.found(found)
    })
  }

  /** A projection is not to be trusted any more. */
  projectionFound({ owner, position, events, stateHash, secondStateHash }: AuditFailure): Promise<void> {
    const name = `projection ${owner.name}${owner.streamName === null ? '' : `, document ${owner.streamName}`}`
    const found: Found = {
      finding: 'not-deterministic',
      at: position,
      atRisk: NOTHING,
      detail: `${name}: ${events} events were folded twice, to the states ${stateHash} and ${secondStateHash}`,
    }
    return this.#inTurn(() => this.#recovery.found(found))
  }

  /** A snapshot was refused. */
  snapshotFound({ owner, position, problem }: SnapshotDrop): Promise<void> {
    const of = owner.streamName === null ? '' : ` of ${owner.streamName}`
    const found: Found = {
      finding: 'snapshot-damaged',
      at: position,
      atRisk: NOTHING,
      detail: `the snapshot${of} by ${owner.kind} ${owner.name}: ${problem}`,
    }
    return this.#inTurn(() => this.#recovery.found(found))
  }

  /** What a verification found. */
  verified(report: VerifyReport): void {
    if (report.ok) return
    const { problem, at, detail } = report
    switch (problem) {
      case 'gap':
      case 'unreadable':
      case 'hash-mismatch':
        this.#recovery.blockFound(at)
        break
      case 'tree-mismatch': {
        const found: Found = { finding: 'tree-damaged', at, atRisk: NOTHING, detail }
        void this.#inTurn(() => this.#recovery.found(found))
        break
      }
      case 'checkpoint-mismatch':
      case 'truncated':
        void this.#inTurn(() => this.#compare('all'))
    }
  }

  /** The server answers. */
  serverReached(): void {
    this.#recovery.serverReached()
  }

  async acknowledge(id: string): Promise<void> {
    await dropVerdict(this.#options.log.storage, id)
    await this.#readVerdicts()
    this.#options.channel.post({ type: 'verdicts-changed' })
  }

  /** Moves the anchor to where the log ends. To be called while the log is open, when nothing is appended any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    await this.#recovery.ended()
    await this.#inTurn(() => this.#anchor.move())
  }

  async #compareAtOpening(): Promise<void> {
    const isAsItWas = !(await this.#differsFrom(await this.#anchor.atOpening(), 'end'))
    if (!isAsItWas) await this.#compare('end')
  }

  /** @param look what to look at: the end of the log, which is quick, or all that its last checkpoint says */
  async #compare(look: Look): Promise<void> {
    if (!(await this.#whatIsWrong(look))) return
    // In turn once more: of several tabs that open at once, one tells.
    await this.#anchor.inTurn(async () => {
      const found = await this.#whatIsWrong(look)
      if (!found) return
      await this.#recovery.found(found)
      await this.#anchor.write()
    })
  }

  async #whatIsWrong(look: Look): Promise<Found | null> {
    const { log } = this.#options
    const anchor = await this.#anchor.read()
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
    await this.#anchor.move()
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
