// Who wanted what to be written, what they were told, and whether everything that is stored agrees with that.
// The rules are numbered as in README.md.

import { textOf } from '../../src/log/bytes.ts'
import { type DeviceView, viewOf } from './device-view.ts'
import type { Disk, DiskEntry } from './disk.ts'
import { holds } from './violation.ts'

export type Wish = {
  readonly ids: readonly string[]
  /** Who wrote it. A device whose storage was put back is another author from then on. */
  readonly author: string
  readonly policy: 'reappend' | 'reject' | 'command'
  /** Step of the run in which it was given to the log, and in which the log said that it is written. */
  readonly askedAt: number
  writtenAt: number
  /** Hash of its first event as it was first written. */
  firstHash: string | null
  /** Epochs of the server in which a device has seen it confirmed. */
  readonly confirmedIn: Set<string>
  /** The application has taken note that it was rejected. */
  isDropped: boolean
}

/** Most that a tank holds, and what `tankApp` sees to. */
const TANK = 10

export class Ledger {
  readonly #wishes = new Map<string, Wish>()
  readonly #byAuthor = new Map<string, Wish[]>()
  readonly #server: Disk
  #serverChecked = 0

  constructor(server: Disk) {
    this.#server = server
  }

  get serverEntries(): readonly DiskEntry[] {
    return this.#server.entries.filter(({ isSystem }) => !isSystem)
  }

  get serverEpoch(): string | null {
    const epoch = this.#server.values.get('server/epoch')
    return epoch ? textOf(epoch) : null
  }

  wish(wish: Wish): void {
    for (const id of wish.ids) this.#wishes.set(id, wish)
    this.#byAuthor.set(wish.author, [...(this.#byAuthor.get(wish.author) ?? []), wish])
  }

  wishOf(id: string): Wish | undefined {
    return this.#wishes.get(id)
  }

  /** The log says that it is written: rule 4. */
  acknowledged(wish: Wish, step: number, disk: Disk): void {
    wish.writtenAt = step
    const view = viewOf(disk)
    for (const id of wish.ids) holds(isThere(id, view), () => `4: ${id} is acknowledged and not stored`)
  }

  /** What was written and is not in the copy that a device was put back to is not the device's to keep. */
  devicePutBack(author: string, disk: Disk): void {
    const view = viewOf(disk)
    for (const wish of this.#byAuthor.get(author) ?? []) {
      if (!wish.ids.every(id => isThere(id, view))) wish.isDropped = true
    }
  }

  serverPutBack(): void {
    this.#serverChecked = 0
  }

  deviceWritten(author: string, disk: Disk): void {
    const view = viewOf(disk)
    this.#checkConfirmed(view)
    for (const { id } of view.confirmed) this.#wishes.get(id)?.confirmedIn.add(view.epoch)
    const seen = new Set<string>()
    for (const { id } of [...view.confirmed, ...view.pending]) {
      holds(!seen.has(id), () => `1, 3: event ${id} is twice in one log`)
      seen.add(id)
    }
    this.#checkTanks([...view.confirmed, ...view.pending])
    for (const wish of this.#byAuthor.get(author) ?? []) {
      const first = view.pending.find(({ id }) => id === wish.ids[0])
      wish.firstHash ??= first?.hash ?? null
      if (wish.writtenAt === Infinity || wish.isDropped) continue
      for (const id of wish.ids) holds(isThere(id, view), () => `5: ${id} has vanished from its author`)
    }
  }

  /** Rule 2. Of another epoch than the server's nothing can be said. */
  #checkConfirmed({ epoch, serverPosition, confirmed }: DeviceView): void {
    holds(serverPosition === confirmed.length, () => `2: ${confirmed.length} events up to ${serverPosition}`)
    if (epoch !== this.serverEpoch) return
    const server = this.serverEntries
    for (const [i, { hash }] of confirmed.entries()) {
      holds(hash === server[i]?.hash, () => `2: what a device has at ${i + 1} is not what the server has`)
    }
  }

  serverWritten(): void {
    const entries = this.serverEntries
    if (entries.length === this.#serverChecked) return
    this.#serverChecked = entries.length
    const ids = new Set<string>()
    const heads = new Map<string, DiskEntry>()
    for (const entry of entries) {
      holds(!ids.has(entry.id), () => `1: event ${entry.id} is twice in the server's log`)
      ids.add(entry.id)
      const head = heads.get(entry.streamName)
      holds(
        entry.version === (head?.version ?? 0) + 1 && (!head || entry.previous === head.hash),
        () => `7: ${entry.streamName}@${entry.version} does not follow on what is before it`,
      )
      heads.set(entry.streamName, entry)
    }
    this.#checkWhole(entries, ids)
    this.#checkOrder(entries)
    this.#checkTanks(entries)
  }

  /** A commit is there whole or not at all; one that stood for its base alone, on that base (rule 7). */
  #checkWhole(entries: readonly DiskEntry[], ids: ReadonlySet<string>): void {
    for (const { id, hash } of entries) {
      const wish = this.#wishes.get(id)
      holds(wish !== undefined, () => `1: nobody wrote event ${id}`)
      holds(
        wish.ids.every(one => ids.has(one)),
        () => `7: only a part of the commit of ${id} is there`,
      )
      if (wish.policy !== 'reject' || id !== wish.ids[0] || this.#wasLost(wish)) continue
      holds(hash === wish.firstHash, () => `7: ${id} stands on another base than its author saw`)
    }
  }

  /** Rule 6: what was written before another was asked for comes before it. */
  #checkOrder(entries: readonly DiskEntry[]): void {
    const lastAsked = new Map<string, number>()
    for (const { id } of entries) {
      const { author, askedAt, writtenAt } = this.#wishes.get(id)!
      const last = lastAsked.get(author) ?? 0
      holds(writtenAt >= last, () => `6: ${id} comes behind what its author wrote later`)
      lastAsked.set(author, Math.max(last, askedAt))
    }
  }

  /** Rule 7, in the domain's words: commands are decided on what is there. */
  #checkTanks(entries: readonly DiskEntry[]): void {
    const levels = new Map<string, number>()
    for (const { id, type, streamName, data } of entries) {
      if (type !== 'Filled') continue
      const level = (levels.get(streamName) ?? 0) + (JSON.parse(data) as { by: number }).by
      holds(level <= TANK || this.#wasLost(this.#wishes.get(id)), () => `7: ${streamName} overflows`)
      levels.set(streamName, level)
    }
  }

  /** Confirmed on a server that was put back since: it comes again as it is, whatever the server has got meanwhile. */
  #wasLost(wish: Wish | undefined): boolean {
    return [...(wish?.confirmedIn ?? [])].some(epoch => epoch !== this.serverEpoch)
  }
}

function isThere(id: string, { confirmed, pending, rejected }: DeviceView): boolean {
  const isIt = (entry: DiskEntry) => entry.id === id
  return pending.some(isIt) || confirmed.some(isIt) || rejected.has(id)
}
