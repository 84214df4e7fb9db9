// The rows of one table in memory while a batch is carried out: read by one request a key that is known beforehand, and
// written all together.

import type { Table } from 'dexie'
import type { RowKey } from '../model/read-model.ts'
import { RowChangeFailed } from '../model/row-store.ts'
import { type KeyPath, keyIn, keyText } from './row-key.ts'

type DraftRow = Readonly<{
  key: RowKey
  /** Left out where there is no row with this key. */
  row: object | undefined
  /** The step that made it so. */
  step: number
}>

export class RowDraft {
  readonly keyPath: KeyPath
  readonly #table: Table<object, RowKey>
  readonly #rows = new Map<string, object | undefined>()
  readonly #changed = new Map<string, DraftRow>()

  constructor(table: Table<object, RowKey>) {
    this.#table = table
    this.keyPath = table.schema.primKey.keyPath!
  }

  get name(): string {
    return this.#table.name
  }

  hasIndex(index: string): boolean {
    const { primKey, indexes } = this.#table.schema
    return [primKey, ...indexes].some(({ name }) => name === index)
  }

  async read(keys: readonly RowKey[]): Promise<void> {
    if (keys.length === 0) return
    const rows = await this.#table.bulkGet([...keys])
    for (const [i, key] of keys.entries()) this.#rows.set(keyText(key), rows[i])
  }

  /** A row whose key was read, or that was written. */
  get(key: RowKey): object | undefined {
    return this.#rows.get(keyText(key))
  }

  set(key: RowKey, row: object | undefined, step: number): void {
    const text = keyText(key)
    this.#rows.set(text, row)
    this.#changed.set(text, { key, row, step })
  }

  /** The keys of the rows that an index has under a value, in the order of the keys. They are read. */
  async keysWhere(index: string, value: RowKey): Promise<RowKey[]> {
    // The index must know what was changed before.
    await this.write()
    const rows = await this.#table
      .where(index)
      .equals(value as string | number)
      .toArray()
    return rows.map(row => {
      const key = keyIn(row, this.keyPath)
      this.#rows.set(keyText(key), row)
      return key
    })
  }

  async write(): Promise<void> {
    const changed = [...this.#changed.values()]
    this.#changed.clear()
    const gone = changed.filter(({ row }) => row === undefined).map(({ key }) => key)
    const rows = changed.flatMap(({ row }) => row ?? [])
    try {
      if (gone.length > 0) await this.#table.bulkDelete(gone)
      if (rows.length > 0) await this.#table.bulkPut(rows)
    } catch (error) {
      if ((error as Error).name !== 'DataCloneError') throw error
      await this.#findRefused(changed)
      throw error
    }
  }

  /** Some values can be cloned, and yet not be stored, as a module of WebAssembly. @throws {@link RowChangeFailed} */
  async #findRefused(changed: readonly DraftRow[]): Promise<void> {
    for (const { row, step } of changed.toSorted((a, b) => a.step - b.step)) {
      if (row === undefined) continue
      await this.#table.put(row).catch((error: unknown) => {
        throw new RowChangeFailed(step, error)
      })
    }
  }
}
