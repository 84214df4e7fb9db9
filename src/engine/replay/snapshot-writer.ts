// Writes snapshots in the background, many with one write, and deletes those that are not wanted any more.

import type { StateSeal } from '../../integrity/state-seal.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import type { FoldCode } from './fold-code.ts'
import { type Kept, keyOf } from './snapshot-key.ts'
import {
  type FoldSnapshot,
  type SnapshotForm,
  type SnapshotOwner,
  sealSnapshot,
  snapshotToBytes,
} from './snapshot-record.ts'
import { deleteSnapshots } from './snapshot-rows.ts'
import { TaskChain } from './task-chain.ts'

/** A snapshot that is to be written. */
export type Draft = Readonly<{
  prefix: string
  owner: SnapshotOwner
  code: FoldCode
  snapshot: FoldSnapshot
}>

export type SnapshotWriterParts = Readonly<{
  storage: Pick<LogStorage, 'keys' | 'put'>
  form: SnapshotForm
  seal: () => Promise<StateSeal | null>
  /** False for a state with something in it that was erased since. */
  isWhole: (draft: Draft) => boolean
  /** False: it was deleted meanwhile. */
  onWritten: (draft: Draft, was: Kept, now: Kept) => boolean
  onFailed: (draft: Draft, kept: Kept, cause: unknown) => void
}>

/** Snapshots wait so long for others to be written with, and for newer ones to be written in their place. */
const LINGER_MS = 250

export class SnapshotWriter {
  readonly #parts: SnapshotWriterParts
  readonly #drafts = new Map<Kept, Draft>()
  readonly #deletions = new Set<string>()
  /** Prefixes of what is not in the storage yet. */
  #waiting = new Set<string>()
  #beingWritten = new Set<string>()
  readonly #writes = new TaskChain()
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(parts: SnapshotWriterParts) {
    this.#parts = parts
  }

  write(kept: Kept, draft: Draft): void {
    this.#drafts.set(kept, draft)
    this.#soon(draft.prefix)
  }

  delete(prefix: string, kept: Kept): void {
    this.#drafts.delete(kept)
    if (kept.key !== '') this.#deletions.add(kept.key)
    this.#soon(prefix)
  }

  /** Until then, what there is in storage for this prefix is not what there should be. */
  async settled(prefix: string): Promise<void> {
    if (this.#waiting.has(prefix) || this.#beingWritten.has(prefix)) await this.flush()
  }

  /** Deletes all there are, whoever wrote them, and what waits. */
  deleteAll(): Promise<void> {
    this.#drafts.clear()
    this.#deletions.clear()
    this.#waiting.clear()
    return this.#writes.run(() => deleteSnapshots(this.#parts.storage))
  }

  /** Writes what waits, then deletes all whose keys begin like this, whoever wrote them. */
  async deleteUnder(family: string): Promise<void> {
    await this.flush()
    const meantOf = (keys: readonly string[]) => keys.filter(key => key.startsWith(family))
    await this.#writes.run(() => deleteSnapshots(this.#parts.storage, meantOf))
  }

  /** Writes what waits. Never rejects: what cannot be written is reported. */
  flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    return this.#writes.run(() => this.#writeWaiting())
  }

  #soon(prefix: string): void {
    this.#waiting.add(prefix)
    this.#timer ??= setTimeout(() => this.flush(), LINGER_MS)
  }

  async #writeWaiting(): Promise<void> {
    if (this.#waiting.size === 0) return
    this.#beingWritten = this.#waiting
    this.#waiting = new Set()
    const values = Object.fromEntries(
      [...this.#deletions].map(key => [key, null as Uint8Array<ArrayBuffer> | null]),
    )
    const drafts = [...this.#drafts].filter(([, draft]) => this.#parts.isWhole(draft))
    this.#deletions.clear()
    this.#drafts.clear()
    const written = (await Promise.all(drafts.map(([kept, draft]) => this.#encode(kept, draft)))).filter(
      one => one !== null,
    )
    for (const { now, bytes } of written) values[now.key] = bytes
    try {
      await this.#parts.storage.put(values)
    } catch (cause) {
      for (const { draft, was } of written) this.#parts.onFailed(draft, was, cause)
      return
    } finally {
      this.#beingWritten = new Set()
    }
    for (const { draft, was, now } of written) {
      const isWanted = this.#parts.onWritten(draft, was, now)
      // Erased while it was written: it goes at once.
      if (!this.#parts.isWhole(draft)) await this.#parts.storage.put({ [now.key]: null })
      else if (!isWanted) this.delete(draft.prefix, now)
    }
  }

  async #encode(was: Kept, draft: Draft) {
    const { form, seal, onFailed } = this.#parts
    try {
      const bytes = await snapshotToBytes(draft.owner, draft.snapshot, draft.code, form)
      const now = { ...was, bytes: bytes.length }
      const stateSeal = await seal()
      if (stateSeal) await sealSnapshot(bytes, stateSeal)
      return { draft, was, now: { ...now, key: keyOf(draft.prefix, now) }, bytes }
    } catch (cause) {
      onFailed(draft, was, cause)
      return null
    }
  }
}
