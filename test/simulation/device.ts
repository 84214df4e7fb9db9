// A device: one storage, and the tabs that are open on it. Any of them appends; one syncs, or for a while two, as when
// a leader was frozen and comes back.

import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import type { Clock } from '../../src/sync/clock.ts'
import type { LoopStatus } from '../../src/sync/status-of.ts'
import { createSyncLoop, type SyncLoop } from '../../src/sync/sync-loop.ts'
import { STORE, TOKEN, tankApp } from '../sync/sync-world.ts'
import { viewOf } from './device-view.ts'
import type { Backup, Disk } from './disk.ts'
import type { Ledger, Wish } from './ledger.ts'
import { Line, networkOf, type ServerSide } from './network.ts'
import { randomUuid } from './own-globals.ts'
import { Process } from './process.ts'
import type { Random } from './random.ts'
import { RequestRules } from './request-rules.ts'
import type { Scheduler } from './scheduler.ts'
import type { Watch } from './violation.ts'

export type DeviceParts = Readonly<{
  name: string
  disk: Disk
  scheduler: Scheduler
  ledger: Ledger
  server: () => ServerSide
  ids: Random
  onStatus: (status: LoopStatus) => void
  watch: Watch
}>

type Loop = Readonly<{ sync: SyncLoop; rules: RequestRules }>

/** `log` is null until it is open. */
export type Tab = {
  readonly process: Process
  log: EventLog | null
  loop: Loop | null
  isClosing: boolean
}

/** Streams that all devices write to. */
const STREAMS = ['a', 'b', 'c']

export class Device {
  readonly line = new Line()
  readonly disk: Disk
  tabs: Tab[] = []
  backup: Backup | null = null
  readonly #parts: DeviceParts
  #opened = 0
  #restored = 0

  constructor(parts: DeviceParts) {
    this.#parts = parts
    this.disk = parts.disk
  }

  /** Another author once its storage was put back. */
  get author(): string {
    return `${this.#parts.name}/${this.#restored}`
  }

  get openTabs(): readonly (Tab & { log: EventLog })[] {
    return this.tabs.filter((tab): tab is Tab & { log: EventLog } => tab.log !== null && tab.process.isAlive)
  }

  get loops(): readonly Loop[] {
    return this.tabs.flatMap(({ loop, process }) => (loop && process.isAlive ? [loop] : []))
  }

  openTab(): void {
    const { scheduler, disk, name } = this.#parts
    const process = new Process(`${name} tab ${++this.#opened}`, () => {
      this.tabs = this.tabs.filter(tab => tab !== opening)
    })
    const opening: Tab = { process, log: null, loop: null, isClosing: false }
    this.tabs.push(opening)
    openLog({ storage: disk.openFor(process), storeId: STORE, app: tankApp, now: scheduler.clock.now }).then(
      log => {
        opening.log = log
        if (this.loops.length === 0) this.lead(opening)
      },
      // A person would try again.
      () => process.crash(),
    )
  }

  async closeTab(tab: Tab): Promise<void> {
    const { process, log, loop } = tab
    tab.isClosing = true
    loop?.rules.over()
    await loop?.sync.stop()
    await log?.close()
    process.crash()
  }

  lead(tab: Tab): void {
    const { scheduler, server } = this.#parts
    const { process, log } = tab
    // As a worker does, whose wish to lead ends before all else.
    if (!log || tab.loop || tab.isClosing) return
    const { name } = process
    const rules = new RequestRules({
      name,
      now: scheduler.clock.now,
      position: () => viewOf(this.disk).serverPosition,
      watch: this.#parts.watch,
    })
    const loop = createSyncLoop({
      log,
      url: 'http://server/',
      token: () => TOKEN,
      clock: clockOf(process, scheduler.clock),
      // Never so little that it could not be told from no wait at all.
      random: () => Math.max(0.01, this.#parts.ids.next()),
      onStatus: this.#parts.onStatus,
      fetch: networkOf({ scheduler, line: this.line, process, rules, server }),
    })
    tab.loop = { sync: loop, rules }
    loop.start()
  }

  stepDown(tab: Tab): void {
    tab.loop?.rules.over()
    void tab.loop?.sync.stop()
    tab.loop = null
  }

  /** There is a tab, and one that syncs. */
  wakeUp(): void {
    if (this.tabs.length === 0) this.openTab()
    if (this.loops.length === 0) for (const tab of this.openTabs.slice(0, 1)) this.lead(tab)
  }

  setOnline(isOnline: boolean): void {
    for (const { sync, rules } of this.loops) {
      rules.setOnline(isOnline)
      sync.setOnline(isOnline)
    }
  }

  poke(): void {
    for (const { sync, rules } of this.loops) {
      rules.poked()
      sync.poke()
    }
  }

  append(random: Random): void {
    const tab = this.#anyTab(random)
    if (!tab) return
    const streams = random.happens(0.2) ? ['a', 'b'] : [random.pick(STREAMS)]
    const policy = random.happens(0.3) ? 'reject' : 'reappend'
    const appends = streams.map(streamName => {
      const ids = Array.from({ length: 1 + random.below(2) }, () => randomUuid(this.#parts.ids))
      const batch = encodeEvents(ids.map(id => ({ type: 'Said', id, data: 'x'.repeat(random.below(200)) })))
      return { ids, append: { streamName, expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch } as const }
    })
    const wish = this.#wish(
      appends.flatMap(({ ids }) => ids),
      policy,
    )
    const request = { appends: appends.map(({ append }) => append), onConflict: policy } as const
    this.#await(wish, tab.log.append(request))
  }

  fill(random: Random): void {
    const tab = this.#anyTab(random)
    if (!tab) return
    const commandId = randomUuid(this.#parts.ids)
    const command = { type: 'Fill', data: { by: 1 + random.below(4) } }
    const wish = this.#wish([commandId], 'command')
    this.#await(wish, tab.log.execute({ decider: 'tank', id: random.pick(['1', '2']), command, commandId }))
  }

  async acknowledge(random: Random): Promise<void> {
    const log = this.#anyTab(random)?.log
    // A storage that fails is asked another time.
    const rejections = (await log?.rejections().catch(() => [])) ?? []
    for (const { id } of rejections) {
      const wish = this.#parts.ledger.wishOf(id)
      if (wish) wish.isDropped = true
      await log?.acknowledgeRejection(id).catch(() => {})
    }
  }

  /** As the channel between tabs does; what gets lost on it does no harm. */
  tellTabs(): void {
    const { scheduler } = this.#parts
    for (const { log, process } of this.openTabs) {
      scheduler
        .park(`${process.name} hears of growth`, process)
        .then(() => log.catchUp())
        .catch(() => {})
    }
  }

  async restore(backup: Backup): Promise<void> {
    this.#parts.scheduler.note(`${this.#parts.name} is put back`)
    for (const { process } of [...this.tabs]) process.crash()
    const before = this.author
    this.#restored++
    await this.disk.restore(backup)
    this.#parts.ledger.devicePutBack(before, this.disk)
    this.openTab()
  }

  #anyTab(random: Random): (Tab & { log: EventLog }) | null {
    const tabs = this.openTabs
    return tabs.length === 0 ? null : random.pick(tabs)
  }

  #wish(ids: readonly string[], policy: Wish['policy']): Wish {
    const { ledger, scheduler } = this.#parts
    const askedAt = scheduler.now
    const wish = {
      ids,
      author: this.author,
      policy,
      askedAt,
      writtenAt: Infinity,
      firstHash: null,
      confirmedIn: new Set<string>(),
    }
    const kept: Wish = { ...wish, isDropped: false }
    ledger.wish(kept)
    return kept
  }

  #await(wish: Wish, writing: Promise<unknown>): void {
    const { ledger, scheduler, watch } = this.#parts
    writing.then(
      () => watch(() => ledger.acknowledged(wish, scheduler.now, this.disk)),
      // Refused, or the disk failed: nobody was promised anything.
      () => {},
    )
  }
}

/** Timers of the dead do not fire. */
function clockOf(process: Process, clock: Clock): Clock {
  return {
    ...clock,
    setTimeout: (callback, delayMs) => clock.setTimeout(() => process.isAlive && callback(), delayMs),
  }
}
