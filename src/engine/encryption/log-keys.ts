// What a log offers of keys: adds and destroys them, and has folded again whatever was folded of events that can be read
// now, or cannot any more.
//
// The side table says of each key how the events under it were treated so far: `noted` and `missing` ones were passed by,
// `destroyed` ones are gone. It is written before the first event is passed by. Where that is not what the ring says,
// because a key came or went, or the device died in the middle of it, a record in the log says from which places on all is
// to be folded again: all tabs hear of it with the entry.

import type { Block } from '../../log/block.ts'
import { textOf, utf8 } from '../../log/bytes.ts'
import { keyIdIn } from '../../log/encrypted-event.ts'
import { KIND_EVENT } from '../../log/entry.ts'
import { isStoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { KeyStatus } from '../../model/encryption.ts'
import type { KeyValues, LogStorage } from '../../storage/log-storage.ts'
import type { BlockStore } from '../block-store.ts'
import type { ErasureRecord } from '../erasure/erasure-record.ts'
import type { Erasures } from '../erasure/erasures.ts'
import type { LogIndex } from '../log-index.ts'
import { TaskChain } from '../replay/task-chain.ts'
import type { EventContents } from './event-contents.ts'
import type { KeyRing } from './key-ring.ts'

export type LogKeysParts = Readonly<{
  ring: KeyRing
  contents: () => EventContents
  storage: Pick<LogStorage, 'list' | 'put'>
  blocks: BlockStore
  index: () => LogIndex
  erasures: Pick<Erasures, 'keysChanged'>
  catchUp: () => Promise<void>
  now: () => number
  /** Told what goes wrong beside a call. */
  onError: (error: unknown) => void
}>

/** How events under a key were treated so far. `noted`: passed by, but perhaps not always. */
type Treated = 'noted' | 'missing' | 'destroyed'

const PREFIX = 'encryption/key/'
/** Of more streams than this, a record says the first place of all. */
const MOST_STREAMS = 1_000
/** Stands for all streams: no stream has this name. */
const ALL_STREAMS = ''

export class LogKeys {
  readonly #parts: LogKeysParts
  readonly #treated = new Map<string, Treated>()
  readonly #turns = new TaskChain()
  #isClosed = false

  constructor(parts: LogKeysParts) {
    this.#parts = parts
  }

  /** Before the log is read. */
  async load(): Promise<void> {
    const rows = await this.#parts.storage.list(PREFIX)
    this.#treated.clear()
    for (const [key, bytes] of rows) {
      this.#treated.set(key.slice(PREFIX.length), textOf(bytes) as Treated)
    }
  }

  /** All keys that are kept, and those that are missing. */
  async list(): Promise<readonly KeyStatus[]> {
    const { ring } = this.#parts
    const [kept, destroyed] = await Promise.all([ring.kept(), ring.destroyed()])
    const states = new Map<string, KeyStatus['state']>()
    for (const [keyId, treated] of this.#treated) {
      if (treated === 'destroyed') continue
      states.set(keyId, 'missing')
    }
    for (const keyId of ring.used) states.set(keyId, 'here')
    for (const keyId of kept) states.set(keyId, 'here')
    for (const keyId of destroyed) states.set(keyId, 'destroyed')
    return [...states]
      .map(([keyId, state]) => ({ keyId, state }))
      .sort((a, b) => (a.keyId < b.keyId ? -1 : 1))
  }

  /** See `KeysControl.add`. */
  async add(keyId: string, key: Uint8Array<ArrayBuffer> | CryptoKey): Promise<void> {
    await this.#parts.ring.add(keyId, key)
    await this.settle()
  }

  /** See `KeysControl.destroy`. Done again, it takes out what is left. */
  async destroy(keyId: string): Promise<void> {
    await this.#parts.ring.destroy(keyId, this.#parts.now())
    this.#parts.contents().forget()
    await this.settle([keyId])
  }

  /** Looks at all keys again: those of the application may have come or gone. */
  async refresh(): Promise<void> {
    const used = this.#parts.ring.used
    this.changed()
    const gone = new Set<string>()
    for (const keyId of used) if ((await this.#parts.ring.find(keyId)) === 'missing') gone.add(keyId)
    await this.load()
    await this.#note(gone)
    await this.settle()
  }

  /** Told before events under these keys are passed by. What was read of them before is folded again, soon. */
  async passing(keyIds: ReadonlySet<string>): Promise<void> {
    if (!(await this.#note(keyIds))) return
    this.settle().catch(error => {
      if (!isStoreError(error, 'store-closed')) this.#parts.onError(error)
    })
  }

  /** Keys came or went, here or in another tab. */
  changed(): void {
    this.#parts.ring.forget()
    this.#parts.contents().forget()
    // With the record, what another tab says of them has changed.
    this.load().catch(error => {
      if (!this.#isClosed) this.#parts.onError(error)
    })
  }

  /**
   * Has folded again what was folded with other keys than there are. Where nothing has changed, nothing is read.
   *
   * @param again keys that are to be treated as if they had changed
   */
  settle(again: readonly string[] = []): Promise<void> {
    return this.#turns.run(() => this.#settleOnce(again))
  }

  /** Resolves when nothing is under way any more. */
  close(): Promise<void> {
    this.#isClosed = true
    return this.#turns.run(async () => {})
  }

  /** False where all of them were noted before. */
  async #note(keyIds: ReadonlySet<string>): Promise<boolean> {
    const unknown = [...keyIds].filter(keyId => !this.#treated.has(keyId))
    if (unknown.length === 0) return false
    await this.#treat(new Map(unknown.map(keyId => [keyId, 'noted'])))
    return true
  }

  async #settleOnce(again: readonly string[]): Promise<void> {
    if (this.#isClosed) return
    await this.load()
    const changes = await this.#changes(again)
    if (changes.size === 0) return
    const { erasures, catchUp } = this.#parts
    const search = new KeySearch(new Set(changes.keys()), this.#parts)
    await catchUp()
    await search.run()
    // At the write door once more, of what came since: behind the record nobody treats them as before.
    // Of a key that was destroyed it is said last, when nothing is left of what was folded.
    const early = [...changes].filter(([, treated]) => treated !== 'destroyed')
    await erasures.keysChanged(() => search.run(), valuesOf(early))
    await this.#treat(changes)
  }

  async #changes(again: readonly string[]): Promise<Map<string, Treated | null>> {
    const { ring } = this.#parts
    const changes = new Map<string, Treated | null>()
    for (const keyId of [...(await ring.destroyed()), ...again]) {
      if (this.#treated.get(keyId) !== 'destroyed' || again.includes(keyId)) changes.set(keyId, 'destroyed')
    }
    for (const [keyId, treated] of this.#treated) {
      if (treated === 'destroyed' || changes.has(keyId)) continue
      const isMissing = (await ring.find(keyId)) === 'missing'
      if (!isMissing) changes.set(keyId, null)
      else if (treated === 'noted') changes.set(keyId, 'missing')
    }
    return changes
  }

  async #treat(changes: ReadonlyMap<string, Treated | null>): Promise<void> {
    await this.#parts.storage.put(valuesOf(changes))
    for (const [keyId, treated] of changes) {
      if (treated === null) this.#treated.delete(keyId)
      else this.#treated.set(keyId, treated)
    }
  }
}

/** As they stand in the side table. */
const valuesOf = (changes: Iterable<readonly [keyId: string, treated: Treated | null]>): KeyValues =>
  Object.fromEntries([...changes].map(([keyId, treated]) => [PREFIX + keyId, treated && utf8(treated)]))

/** Where the first event under some keys stands, in each stream that has one. */
class KeySearch {
  readonly #keyIds: ReadonlySet<string>
  readonly #parts: Pick<LogKeysParts, 'blocks' | 'index'>
  readonly #touched = new Map<string, GlobalPosition>()
  #through: GlobalPosition = 0

  constructor(keyIds: ReadonlySet<string>, parts: Pick<LogKeysParts, 'blocks' | 'index'>) {
    this.#keyIds = keyIds
    this.#parts = parts
  }

  /** Goes on to the end of the log. */
  async run(): Promise<ErasureRecord['touched']> {
    const { blocks, index } = this.#parts
    const { head } = index()
    if (head > this.#through) {
      for await (const block of blocks.run(this.#through + 1, head)) this.#lookIn(block)
      this.#through = head
    }
    const touched = [...this.#touched]
    if (touched.length <= MOST_STREAMS) return touched
    return [[ALL_STREAMS, Math.min(...this.#touched.values())]]
  }

  #lookIn(block: Block): void {
    const text = textOf(block.metadata.bytes)
    // Most blocks of most logs have nothing encrypted in them: one look at the text says so.
    if (!text.includes('"encryption"')) return
    for (const [i, stored] of (JSON.parse(text) as unknown[]).entries()) {
      const keyId = block.kinds[i] === KIND_EVENT ? keyIdIn(stored) : null
      if (keyId === null || !this.#keyIds.has(keyId)) continue
      const [name, position] = [block.streamNameOf(i), block.firstPosition + i]
      if (!this.#touched.has(name)) this.#touched.set(name, position)
    }
  }
}
