// Entries of a block as the columns that one INSERT takes, and rows as entries again.

import { type Block, decodeBlock, type StoredBlock } from '../../log/block.ts'
import type { BlockWriter } from '../../log/block-writer.ts'
import { textOf } from '../../log/bytes.ts'
import { noteText, readNote } from '../../log/commit-note.ts'
import type { Entry } from '../../log/hash-chain.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { SqlValue } from './sql-driver.ts'

export type EntryRow = Entry & Readonly<{ position: number; endsCommit: boolean; note: string | null }>

/** Parameters of `INSERT_ENTRIES`, in order. */
export function insertParameters(storeId: string, stored: StoredBlock): SqlValue[] {
  const block = decodeBlock(stored.bytes, stored.firstPosition)
  const each = <T>(of: (i: number) => T): T[] => Array.from({ length: block.count }, (_, i) => of(i))
  const noteAt = new Map(block.commits.map(({ lastIndex, note }) => [lastIndex, note]))
  const typeOf = (i: number) => block.types[block.typeOf[i]!]!
  const { payloads, metadata } = block
  return [
    storeId,
    block.firstPosition - 1,
    previousHashes(block),
    block.hashes,
    block.ids,
    block.salts,
    payloads.bytes,
    metadata.bytes,
    [...block.kinds],
    each(i => block.streamNameOf(i)),
    [...block.versions],
    [...block.recordedAt],
    each(i => typeOf(i).type),
    each(i => typeOf(i).schemaVersion),
    ...slices(payloads.ends),
    ...slices(metadata.ends),
    each(i => (isStorableAsJsonb(textOf(jsonSlice(payloads, i))) ? 1 : 0)),
    each(i => (noteAt.has(i) ? 1 : 0)),
    each(i => noteText(noteAt.get(i) ?? null) || null),
  ]
}

/** Adds a row to a block that is rebuilt from rows. */
export function addRow(writer: BlockWriter, { position: _, endsCommit, note, ...entry }: EntryRow): void {
  writer.add(entry)
  if (endsCommit) writer.endCommit(readNote(note ?? ''))
}

function previousHashes(block: Block): Uint8Array {
  const bytes = new Uint8Array(block.hashes.length)
  for (let i = 0; i < block.count; i++) bytes.set(block.previousOf(i), i * 32)
  return bytes
}

/** Starts, counted from 1 as SQL does, and lengths of the values of a JSON column. */
function slices(ends: Uint32Array): [starts: number[], lengths: number[]] {
  const starts = Array.from(ends, (_, i) => (i === 0 ? 2 : ends[i - 1]! + 2))
  return [starts, starts.map((start, i) => ends[i]! - start + 1)]
}

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
