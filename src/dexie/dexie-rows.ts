// The rows of read models in an application's Dexie database: each call is one transaction, in which it is decided whether
// the progress is still the one that the caller knows.

import Dexie, { type Table } from 'dexie'
import { StoreError } from '../log/errors.ts'
import type { AnyReadModel, RowKey } from '../model/read-model.ts'
import {
  type RowBatch,
  RowChangeFailed,
  type RowOutcome,
  type RowProgress,
  type RowSide,
  type RowStore,
} from '../model/row-store.ts'
import { BatchDraft } from './batch-draft.ts'
import { letGo, takeBack } from './before-images.ts'
import { dexieFailureFrom } from './dexie-failure.ts'
import {
  beforeRecords,
  otherTwin,
  type ProgressRecord,
  progressRecords,
  refuseUndeclared,
  shownRecords,
  type Twin,
  twinName,
} from './read-model-stores.ts'

/**
 * Rows in a Dexie database of the application, which declares their tables with `readModelStores(tables)`. The store opens
 * it, and closes it when it is closed itself. How durable a write is says the database: `new Dexie(name, {
 * chromeTransactionDurability })`. What is lost is made again: the note of how far the rows had come is lost with them.
 */
export function dexieRows(db: Dexie): RowStore {
  return new DexieRows(db)
}

/** Which twins are shown, as of so many switches. */
type Twins = Readonly<{ switches: number; shown: ReadonlyMap<string, Twin> }>

/** The tables of one side, by the names that the read model has for them. */
type SideTables = ReadonlyMap<string, Table<object, RowKey>>

type Work = Readonly<{
  model: string
  /** The progress that each side must have. */
  from: Readonly<Partial<Record<RowSide, RowProgress>>>
  /** The tables it is for, beside that of the progress. */
  scope: (twins: Twins) => readonly Table[]
  /** Changes tables, and gives what has become of the progress. */
  run: (record: ProgressRecord, twins: Twins) => Promise<ProgressRecord>
}>

class DexieRows implements RowStore {
  readonly #db: Dexie
  readonly #tables = new Map<string, readonly string[]>()
  /** Known beforehand, so that a write makes only those wait who want the tables that it writes to. */
  readonly #twins = new Map<string, Twins>()

  constructor(db: Dexie) {
    this.#db = db
  }

  async open(models: Readonly<Record<string, AnyReadModel>>): Promise<void> {
    await told(() => this.#db.open())
    const owners = new Map<string, string>()
    for (const [model, { tables }] of Object.entries(models)) {
      for (const [table, indexes] of Object.entries<string>(tables)) {
        refuseUndeclared(this.#db, table, indexes)
        const owner = owners.get(table)
        if (owner !== undefined) {
          refuse(`The read models "${owner}" and "${model}" both have a table "${table}"`)
        }
        owners.set(table, model)
      }
      this.#tables.set(model, Object.keys(tables))
    }
  }

  async progress(model: string): Promise<Record<RowSide, RowProgress>> {
    this.#tablesOf(model)
    const record = await told(() => this.#record(model))
    return { shown: progressOf(record, 'shown'), aside: progressOf(record, 'aside') }
  }

  async write({ model, side, from, to, steps, settledThrough }: RowBatch): Promise<RowOutcome> {
    const all = this.#tablesOf(model)
    const touched = new Set(steps.flatMap(({ operations }) => operations.map(({ table }) => table)))
    const names = all.filter(name => touched.has(name))
    return this.#transact({
      model,
      from: { [side]: from },
      scope: twins => [beforeRecords(this.#db), ...this.#sideTables(twins, side, names).values()],
      run: async (record, twins) => {
        // What was let go is gone, also where this tab has not heard yet that it is settled.
        const settledBefore = record[side]?.settledThrough ?? 0
        const settled = Math.max(settledThrough, settledBefore)
        const tables = this.#sideTables(twins, side, names)
        const draft = new BatchDraft({ steps, settledThrough: settled, tables })
        await draft.read()
        await beforeRecords(this.#db).bulkAdd(await draft.carryOut())
        if (settled > settledBefore) {
          await letGo(this.#db, namesOf(this.#sideTables(twins, side, all)), settled)
        }
        return { ...record, [side]: { progress: to, settledThrough: settled } }
      },
    })
  }

  async rewind({ model, side, from, to, through }: Parameters<RowStore['rewind']>[0]): Promise<RowOutcome> {
    const names = this.#tablesOf(model)
    return this.#transact({
      model,
      from: { [side]: from },
      scope: twins => [beforeRecords(this.#db), ...this.#sideTables(twins, side, names).values()],
      run: async (record, twins) => {
        const { settledThrough } = record[side]!
        if (through < settledThrough) {
          refuse(
            `"${model}" cannot be taken back through ${through}: it is settled through ${settledThrough}`,
          )
        }
        const tables = this.#sideTables(twins, side, names).values()
        await Promise.all([...tables].map(table => takeBack(this.#db, table, through)))
        return { ...record, [side]: { progress: to, settledThrough } }
      },
    })
  }

  async begin({ model, from, to }: Parameters<RowStore['begin']>[0]): Promise<RowOutcome> {
    const names = this.#tablesOf(model)
    return this.#transact({
      model,
      from: { aside: from },
      scope: twins => [beforeRecords(this.#db), ...this.#sideTables(twins, 'aside', names).values()],
      run: async (record, twins) => {
        await this.#empty(this.#sideTables(twins, 'aside', names))
        return { ...record, aside: { progress: to, settledThrough: 0 } }
      },
    })
  }

  async switchOver({ model, ...from }: Parameters<RowStore['switchOver']>[0]): Promise<RowOutcome> {
    const names = this.#tablesOf(model)
    return this.#transact({
      model,
      from,
      scope: twins => [
        shownRecords(this.#db),
        beforeRecords(this.#db),
        ...this.#sideTables(twins, 'shown', names).values(),
      ],
      run: async (record, twins) => {
        const switched = names.map(table => ({ table, twin: otherTwin(twins.shown.get(table)!) }))
        await shownRecords(this.#db).bulkPut(switched)
        await this.#empty(this.#sideTables(twins, 'shown', names))
        return { model, shown: record.aside, aside: null, switches: record.switches + 1 }
      },
    })
  }

  close(): void {
    this.#db.close()
  }

  /** Runs the work, anew where another twin is shown than was known, and notes the progress in the same transaction. */
  async #transact({ model, from, scope, run }: Work): Promise<RowOutcome> {
    for (;;) {
      const twins = this.#twins.get(model) ?? (await told(() => this.#readTwins(model)))
      const tables = [progressRecords(this.#db), ...scope(twins)]
      const outcome = await told(() =>
        this.#db.transaction('rw', tables, async () => {
          const record = await this.#record(model)
          if (record.switches !== twins.switches) return 'switched'
          for (const side of ['shown', 'aside'] as const) {
            if (side in from && progressOf(record, side) !== from[side]) return 'moved'
          }
          await progressRecords(this.#db).put(await run(record, twins))
          return 'written'
        }),
      )
      if (outcome !== 'switched') return outcome
      this.#twins.delete(model)
    }
  }

  #readTwins(model: string): Promise<Twins> {
    const names = this.#tablesOf(model)
    return this.#db.transaction('r', [progressRecords(this.#db), shownRecords(this.#db)], async () => {
      const { switches } = await this.#record(model)
      const records = await shownRecords(this.#db).bulkGet([...names])
      const twins = { switches, shown: new Map(names.map((name, i) => [name, records[i]?.twin ?? 'a'])) }
      this.#twins.set(model, twins)
      return twins
    })
  }

  async #record(model: string): Promise<ProgressRecord> {
    const record = await progressRecords(this.#db).get(model)
    return record ?? { model, shown: null, aside: null, switches: 0 }
  }

  #sideTables({ shown }: Twins, side: RowSide, names: readonly string[]): SideTables {
    return new Map(
      names.map(name => {
        const twin = shown.get(name)!
        return [name, this.#db.table(twinName(name, side === 'shown' ? twin : otherTwin(twin)))]
      }),
    )
  }

  async #empty(tables: SideTables): Promise<void> {
    await Promise.all([...tables.values()].map(table => table.clear()))
    await letGo(this.#db, namesOf(tables), Infinity)
  }

  #tablesOf(model: string): readonly string[] {
    return this.#tables.get(model) ?? refuse(`No read model "${model}" was opened`)
  }
}

function progressOf(record: ProgressRecord, side: RowSide): RowProgress {
  return record[side]?.progress ?? null
}

function namesOf(tables: SideTables): string[] {
  return [...tables.values()].map(({ name }) => name)
}

function refuse(problem: string): never {
  throw new StoreError('invalid-argument', problem, { problem })
}

async function told<T>(work: () => PromiseLike<T>): Promise<T> {
  try {
    // Whoever appends within a transaction of Dexie may have us run in it.
    return await Dexie.ignoreTransaction(work)
  } catch (error) {
    throw error instanceof RowChangeFailed ? error : dexieFailureFrom(error)
  }
}
