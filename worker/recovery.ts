// Carries out what follows on a finding: tells it, asks the server for what was lost, gives this device another name.

import type { EventLog } from '../src/engine/event-log.ts'
import type { ConfirmedSource } from '../src/engine/recovery/healing.ts'
import {
  type Damage,
  type Found,
  type HealOutcome,
  type RecoveryEffect,
  type RecoveryFacts,
  type RecoveryInput,
  SOUND,
  step,
} from '../src/engine/recovery/recovery-machine.ts'
import { keepVerdict, readVerdicts } from '../src/engine/recovery/verdict-book.ts'
import { deleteSnapshots } from '../src/engine/replay/snapshot-rows.ts'
import { isStoreError } from '../src/log/errors.ts'
import type { GlobalPosition } from '../src/log/event.ts'
import { newEventId } from '../src/log/event-id.ts'
import type { Verdict } from '../src/model/integrity-status.ts'
import type { DeviceKeys } from './device-keys.ts'
import type { TabChannel } from './tab-channel.ts'
import { underLock } from './web-lock.ts'

export type RecoveryParts = RecoveryFacts &
  Readonly<{
    log: EventLog
    keys: Pick<DeviceKeys, 'forget'>
    channel: TabChannel
    /** What all tabs of this store know it by. */
    name: string
    /** Where what the server has comes from. */
    confirmed: ConfirmedSource
    /** To be done when nothing else is. */
    inTurn: (work: () => Promise<void>) => Promise<void>
    onTold: () => Promise<void>
    onError: (error: Error) => void
    signal: AbortSignal
  }>

export class Recovery {
  readonly #parts: RecoveryParts
  #state = SOUND
  #healing: Promise<unknown> = Promise.resolve()

  constructor(parts: RecoveryParts) {
    this.#parts = parts
    const { channel, log } = parts
    channel.on('healed', ({ from }) => log.healed(from))
  }

  /** To be called in turn. */
  async found(found: Found): Promise<void> {
    await this.#take({ type: 'found', found })
  }

  /** A block could not be read, or did not hold. */
  blockFound(position: GlobalPosition): void {
    const isKnown = [...this.#state.damages.values()].some(
      ({ damage }) => damage.firstPosition <= position && position <= damage.lastPosition,
    )
    if (isKnown) return
    void this.#parts.inTurn(async () => {
      const damage = await this.#parts.log.healing.examine(position)
      if (damage) await this.#take({ type: 'block-damaged', damage })
    })
  }

  serverReached(): void {
    const isWaiting = [...this.#state.damages.values()].some(({ phase }) => phase === 'waiting')
    if (isWaiting) void this.#parts.inTurn(() => this.#take({ type: 'server-reached' }))
  }

  /** Resolves when the server is asked for nothing any more. */
  async ended(): Promise<void> {
    await this.#healing
  }

  async #take(input: RecoveryInput): Promise<void> {
    const [state, effects] = step(this.#state, input, this.#parts)
    this.#state = state
    for (const effect of effects) await this.#carryOut(effect)
    await this.#parts.onTold()
  }

  async #carryOut(effect: RecoveryEffect): Promise<void> {
    const { log, keys } = this.#parts
    switch (effect.type) {
      case 'tell':
        return this.#tell(effect.verdict)
      case 'renew-identity':
        await keys.forget()
        await log.proofs.checkpoints.forget()
        // They bear the seal of the device that this was.
        return deleteSnapshots(log.storage)
      case 'heal':
        // In its own time: the server may be slow, and the log goes on meanwhile.
        this.#healing = this.#healing.then(() => this.#heal(effect.damage))
    }
  }

  /** Once, until it is acknowledged, however often it is found. */
  async #tell(verdict: Omit<Verdict, 'id' | 'foundAt'>): Promise<void> {
    const { log, channel } = this.#parts
    const isTold = ({ finding, action, at }: Verdict): boolean =>
      finding === verdict.finding && action === verdict.action && at === verdict.at
    if ((await readVerdicts(log.storage)).some(isTold)) return
    const told = { id: newEventId(), foundAt: Date.now(), ...verdict }
    try {
      await log.recordVerdict(told)
    } catch (error) {
      // What is damaged may be what the next entry would link to.
      if (!isStoreError(error, 'log-damaged')) throw error
      await keepVerdict(log.storage, told)
    }
    channel.post({ type: 'verdicts-changed' })
  }

  async #heal(damage: Damage): Promise<void> {
    const { channel, inTurn, signal } = this.#parts
    const outcome = await this.#healInTurn(damage)
    if (signal.aborted) return
    if (outcome.type === 'healed') channel.post({ type: 'healed', from: damage.firstPosition })
    await inTurn(() => this.#take({ type: 'heal-ended', damage, outcome }))
  }

  /** One tab at a time: whoever comes second finds nothing left to do. */
  async #healInTurn(damage: Damage): Promise<HealOutcome> {
    const { log, name, confirmed, onError } = this.#parts
    try {
      return await underLock(`${name}:heal`, () => log.healing.heal(damage, confirmed))
    } catch (error) {
      onError(error instanceof Error ? error : new Error(String(error)))
      return { type: 'unanswered' }
    }
  }
}
