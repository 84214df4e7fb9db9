// What an application writes to keep rows of its own in step with the log: tables that it queries itself.

import type { Event, RecordedEvent } from '../log/event.ts'
import type { HandlerCode } from './app.ts'

/** A primary key, or a value of an index. */
export type RowKey = string | number | readonly (string | number)[]

/**
 * What a handler may do to the rows of one table. Nothing is done at once: what a handler asks for is carried out in the
 * order in which it was asked for, in one transaction with the note of how far the read model has come.
 */
export type RowWriter<Row> = Readonly<{
  /** Writes a row, whether or not there is one with its key. */
  put: (row: Row) => void
  /** Changes the row with this key; nothing where there is none. */
  update: (key: RowKey, change: (row: Row) => Row) => void
  /** Changes the row with this key, or makes one where there is none. */
  upsert: (key: RowKey, change: (row: Row | undefined) => Row) => void
  /** Nothing where there is none. */
  delete: (key: RowKey) => void
  /** Changes all rows that an index has under a value; null deletes a row. */
  updateWhere: (index: string, value: RowKey, change: (row: Row) => Row | null) => void
}>

/** The type of the rows of each table. */
export type RowTypes = Readonly<Record<string, object>>

export type RowWriters<Rows extends RowTypes> = { readonly [T in keyof Rows]: RowWriter<Rows[T]> }

/**
 * Rows that follow the events of all streams. Handlers are as those of a projection, pure and synchronous: what they do
 * depends on the event and, in the functions that they pass on, on the row. So history can be taken back and gone
 * through again.
 */
export type ReadModelDefinition<Rows extends RowTypes, E extends Event> = Readonly<{
  /** The indexes of each table, as the database writes them: in Dexie, `'id, *words'`. The first is the primary key. */
  tables: { readonly [T in keyof Rows]: string }
  /** Event types to handle; others are passed by. */
  canHandle: readonly E['type'][]
  /** Only streams of these categories: what their names have before the first `-`. Left out: all. */
  categories?: readonly string[]
  evolve: {
    readonly [T in E['type']]?: (
      rows: RowWriters<Rows>,
      event: RecordedEvent<Extract<E, { type: T }>>,
    ) => void
  }
  /** Without the build plugin, raise it when `evolve` changes: all rows are then made anew. Default `'1'`. */
  version?: string
  /** Written by the build plugin. */
  handlerCode?: HandlerCode
}>

// biome-ignore lint/suspicious/noExplicitAny: a bound for definitions of any rows and events
export type AnyReadModel = ReadModelDefinition<any, any>
