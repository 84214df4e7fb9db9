// Carries out the steps of a batch on rows in memory, in their order, and keeps what rows were before those that may have
// to be taken back.

import type { Table } from 'dexie'
import type { GlobalPosition } from '../log/event.ts'
import type { RowKey } from '../model/read-model.ts'
import { RowChangeFailed, type RowOperation, type RowStep } from '../model/row-store.ts'
import type { BeforeRecord } from './read-model-stores.ts'
import { RowDraft } from './row-draft.ts'
import { checkedKey, keyIn, keyText } from './row-key.ts'

export type BatchToDraft = Readonly<{
  steps: readonly RowStep[]
  settledThrough: GlobalPosition
  /** By the names that operations call them by. */
  tables: ReadonlyMap<string, Table<object, RowKey>>
}>

/** The step that is carried out: its index, for who has to tell which one failed, and whether it may be taken back. */
type Current = Readonly<{ index: number; position: GlobalPosition; isPending: boolean }>

export class BatchDraft {
  readonly #steps: readonly RowStep[]
  readonly #settledThrough: GlobalPosition
  readonly #drafts: ReadonlyMap<string, RowDraft>
  readonly #before: BeforeRecord[] = []
  /** Of each row that was kept, the position of the last time. */
  readonly #keptAt = new Map<string, GlobalPosition>()

  constructor({ steps, settledThrough, tables }: BatchToDraft) {
    this.#steps = steps
    this.#settledThrough = settledThrough
    this.#drafts = new Map([...tables].map(([name, table]) => [name, new RowDraft(table)]))
  }

  /** Reads all rows whose keys are known beforehand. */
  async read(): Promise<void> {
    await Promise.all([...this.#drafts].map(([name, draft]) => draft.read(this.#keysOf(name, draft))))
  }

  /** Leaves the rows written, and gives what they were. @throws {@link RowChangeFailed} */
  async carryOut(): Promise<readonly BeforeRecord[]> {
    for (const [index, { position, operations }] of this.#steps.entries()) {
      const current = { index, position, isPending: position > this.#settledThrough }
      for (const operation of operations) {
        const draft = this.#drafts.get(operation.table)
        if (!draft) throw new RowChangeFailed(index, `The read model has no table "${operation.table}"`)
        if (operation.kind === 'update-where') await this.#updateWhere(draft, operation, current)
        else attempt(index, () => this.#apply(draft, operation, current))
      }
    }
    await Promise.all([...this.#drafts.values()].map(draft => draft.write()))
    return this.#before
  }

  /** Leaves out what is written without a look at what was there. */
  #keysOf(table: string, draft: RowDraft): RowKey[] {
    const keys = new Map<string, RowKey>()
    const written = new Set<string>()
    for (const { position, operations } of this.#steps) {
      for (const operation of operations) {
        if (operation.table !== table || operation.kind === 'update-where') continue
        const key = keyOf(operation, draft)
        // Refused when it is its turn: a step before it may fail first.
        if (key === undefined) continue
        const text = keyText(key)
        const isBlind = operation.kind === 'put' || operation.kind === 'delete'
        if (isBlind && position <= this.#settledThrough) written.add(text)
        else if (!written.has(text)) keys.set(text, key)
      }
    }
    return [...keys.values()]
  }

  #apply(
    draft: RowDraft,
    operation: Exclude<RowOperation, { kind: 'update-where' }>,
    current: Current,
  ): void {
    if (operation.kind === 'put') {
      const row = rowGiven(operation.row)
      const key = keyIn(row, draft.keyPath)
      this.#keep(draft, key, current)
      draft.set(key, row, current.index)
      return
    }
    const key = checkedKey(operation.key, 'the key')
    if (operation.kind === 'delete') {
      this.#keep(draft, key, current)
      draft.set(key, undefined, current.index)
      return
    }
    const row = draft.get(key)
    if (operation.kind === 'update' && row === undefined) return
    this.#keep(draft, key, current)
    const changed = operation.kind === 'update' ? operation.change(row!) : operation.change(row)
    draft.set(key, rowWithKey(changed, key, draft), current.index)
  }

  async #updateWhere(
    draft: RowDraft,
    { index, value, change }: Extract<RowOperation, { kind: 'update-where' }>,
    current: Current,
  ): Promise<void> {
    attempt(current.index, () => {
      checkedKey(value, `the value of "${index}"`)
      if (!draft.hasIndex(index)) throw new Error(`the table has no index "${index}"`)
    })
    for (const key of await draft.keysWhere(index, value)) {
      attempt(current.index, () => {
        this.#keep(draft, key, current)
        const changed = change(draft.get(key)!)
        draft.set(key, changed === null ? undefined : rowWithKey(changed, key, draft), current.index)
      })
    }
  }

  /** Before the row is changed: a function of the application may change it in place. */
  #keep(draft: RowDraft, key: RowKey, { position, isPending }: Current): void {
    if (!isPending) return
    const text = `${draft.name}/${keyText(key)}`
    // All that happens at one position is taken back together.
    if (this.#keptAt.get(text) === position) return
    this.#keptAt.set(text, position)
    const row = draft.get(key)
    this.#before.push({ table: draft.name, position, key, ...(row && { row: structuredClone(row) }) })
  }
}

function keyOf(
  operation: Exclude<RowOperation, { kind: 'update-where' }>,
  draft: RowDraft,
): RowKey | undefined {
  try {
    return operation.kind === 'put'
      ? keyIn(operation.row, draft.keyPath)
      : checkedKey(operation.key, 'the key')
  } catch {
    return undefined
  }
}

function attempt(step: number, change: () => void): void {
  try {
    change()
  } catch (error) {
    throw new RowChangeFailed(step, error)
  }
}

function rowWithKey(given: unknown, key: RowKey, draft: RowDraft): object {
  const row = rowGiven(given)
  const its = keyIn(row, draft.keyPath)
  if (keyText(its) === keyText(key)) return row
  throw new Error(`the row with key ${JSON.stringify(key)} was given the key ${JSON.stringify(its)}`)
}

/** A copy as the database would give it back: so a row is the same, whether a batch ends before it is asked for or not. */
function rowGiven(given: unknown): object {
  if (typeof given !== 'object' || given === null)
    throw new Error(`${String(given)} was given instead of a row`)
  // Not `instanceof`: in a transaction of Dexie, `Promise` is another one.
  if ('then' in given && typeof given.then === 'function') {
    throw new Error('a promise was given instead of a row; handlers are synchronous')
  }
  return structuredClone(given)
}
