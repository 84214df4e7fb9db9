// Entries of blocks as the columns that one INSERT takes, and rows as entries again.

import { type Block, decodeBlock, type StoredBlock } from '../../log/block.ts'
import type { BlockWriter } from '../../log/block-writer.ts'
import { textOf, utf8 } from '../../log/bytes.ts'
import { noteText, readNote } from '../../log/commit-note.ts'
import type { Entry } from '../../log/entry.ts'
import { HASH_BYTES } from '../../log/hash-provider.ts'
import { type JsonColumn, jsonSlice } from '../../log/json-column.ts'
import { packBytes } from './pack-bytes.ts'
import type { SqlBigint, SqlValue } from './sql-driver.ts'

export type EntryRow = Omit<Entry, 'streamVersion' | 'recordedAt'> &
  Readonly<{
    position: SqlBigint
    streamVersion: SqlBigint
    recordedAt: SqlBigint
    endsCommit: boolean
    note: string | null
  }>

/** Parameters of `INSERT_ENTRIES`, in order. */
export function insertParameters(storeId: string, stored: readonly StoredBlock[]): SqlValue[] {
  const blocks = stored.map(({ bytes, firstPosition }) => decodeBlock(bytes, firstPosition))
  const columns = blocks.map(columnsOf)
  const packed = (of: (block: Block) => Uint8Array): Uint8Array => packBytes(blocks.map(of)).bytes
  const joined = <T>(of: (column: EntryColumns) => readonly T[]): T[] => columns.flatMap(of)
  const payloads = packColumns(blocks.map(block => block.payloads))
  const metadata = packColumns(blocks.map(block => block.metadata))
  return [
    storeId,
    blocks[0]!.firstPosition - 1,
    packed(previousHashes),
    packed(block => block.hashes),
    packed(block => block.ids),
    packed(block => block.salts),
    payloads.bytes,
    metadata.bytes,
    joined(column => column.kinds),
    joined(column => column.streamNames),
    joined(column => column.streamVersions),
    joined(column => column.recordedAt),
    joined(column => column.types),
    joined(column => column.schemaVersions),
    payloads.starts,
    payloads.lengths,
    metadata.starts,
    metadata.lengths,
    joined(column => column.isJson),
    joined(column => column.endsCommit),
    joined(column => column.notes),
  ]
}

/** Adds a row to a block that is rebuilt from rows. */
export function addRow(writer: BlockWriter, row: EntryRow): void {
  const { position: _, endsCommit, note, streamVersion, recordedAt, ...entry } = row
  writer.add({ ...entry, streamVersion: Number(streamVersion), recordedAt: Number(recordedAt) })
  if (endsCommit) writer.endCommit(readNote(utf8(note ?? '')))
}

type EntryColumns = ReturnType<typeof columnsOf>

function columnsOf(block: Block) {
  const each = <T>(of: (i: number) => T): T[] => Array.from({ length: block.count }, (_, i) => of(i))
  const typeOf = (i: number) => block.types[block.typeOf[i]!]!
  const noteAt = new Map(block.commits.map(({ lastIndex, note }) => [lastIndex, note]))
  return {
    kinds: [...block.kinds],
    streamNames: each(i => block.streamNameOf(i)),
    streamVersions: [...block.versions],
    recordedAt: [...block.recordedAt],
    types: each(i => typeOf(i).type),
    schemaVersions: each(i => typeOf(i).schemaVersion),
    isJson: each(i => (isStorableAsJsonb(textOf(jsonSlice(block.payloads, i))) ? 1 : 0)),
    endsCommit: each(i => (noteAt.has(i) ? 1 : 0)),
    notes: each(i => noteText(noteAt.get(i) ?? null) || null),
  }
}

function previousHashes(block: Block): Uint8Array {
  const bytes = new Uint8Array(block.hashes.length)
  for (let i = 0; i < block.count; i++) bytes.set(block.previousOf(i), i * HASH_BYTES)
  return bytes
}

const packColumns = (columns: readonly JsonColumn[]) =>
  packBytes(columns.flatMap(column => Array.from(column.ends, (_, i) => jsonSlice(column, i))))

/**
 * jsonb has no U+0000, no half surrogates and no numbers beyond numeric's range; one such value must not keep an
 * event out of the log. Then there is no jsonb, and the bytes are there as ever.
 */
function isStorableAsJsonb(json: string): boolean {
  if (/\\u(0000|[dD][89a-fA-F])/.test(json)) return false
  if (!HUGE_NUMBER.test(json)) return true
  return !HUGE_NUMBER.test(json.replace(STRINGS, '""'))
}

const HUGE_NUMBER = /\d[eE][+-]?\d{3}|\d{1000}/
const STRINGS = /"(?:[^"\\]|\\.)*"/g
