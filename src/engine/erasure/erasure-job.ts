// The erasure itself, at the write door, alone: nothing is planned or written while content is taken out, and the record
// that follows is written only if the log is still what was looked at. So behind the record nobody has the content: who
// appends behind it has seen it.

import type { GlobalPosition } from '../../log/event.ts'
import type { Draft } from '../draft.ts'
import type { LogIndex } from '../log-index.ts'
import type { Job } from '../writer.ts'
import { type ContentParts, type ErasedContent, eraseContent } from './erase-content.ts'
import { type ErasureList, erasureKey } from './erasure-list.ts'
import { type ErasureRecord, erasureEntry } from './erasure-record.ts'
import { positionsOf } from './find-entries.ts'

export type ErasureWish = Pick<ErasureRecord, 'eventIds' | 'reason' | 'erasedAt' | 'origin'>

export type ErasureJobParts = ContentParts &
  Readonly<{
    index: LogIndex
    list: ErasureList
    /** True on the server, whose log is what was pushed and nothing else: there the list alone has the record. */
    isAuthority: boolean
    catchUp: () => Promise<void>
    /** Blocks in memory may have what is erased. */
    forgetBlocks: () => void
  }>

export type ErasureDone = Pick<ErasureRecord, 'eventIds' | 'touched'> &
  Readonly<{
    /** Null where all of it was erased and listed before. */
    record: ErasureRecord | null
  }>

export function erasureJob(wish: ErasureWish, parts: ErasureJobParts): Job<ErasureDone> {
  // Planned again when another tab was first, it finds nothing left to take out.
  let hasChanged = false
  const keep = (record: Omit<ErasureRecord, 'number'>, draft: Draft): Promise<ErasureRecord> =>
    parts.isAuthority ? listRecord(record, parts) : draftErasure(record, draft, parts.list)
  return {
    isAlone: true,
    async plan(draft) {
      const erased = await eraseAll(wish.eventIds, parts)
      hasChanged ||= erased.hasChanged
      await parts.list.refresh()
      const eventIds = hasChanged ? wish.eventIds : wish.eventIds.filter(id => !parts.list.has(id))
      const { touched } = erased
      const record = eventIds.length === 0 ? null : await keep({ ...wish, eventIds, touched }, draft)
      return { eventIds: wish.eventIds, touched, record }
    },
  }
}

/** Adds the record to the log and to the list, together. */
export async function draftErasure(
  record: Omit<ErasureRecord, 'number'>,
  draft: Draft,
  list: ErasureList,
): Promise<ErasureRecord> {
  const numbered = { ...record, number: list.count + 1 }
  await draft.addSystemEntry(erasureEntry(numbered))
  draft.addValue(erasureKey(numbered.number), await list.valueOf(numbered))
  return numbered
}

/** Whoever admits an event looks at the list behind that: what came before the record was listed is found here. */
async function listRecord(
  record: Omit<ErasureRecord, 'number'>,
  parts: ErasureJobParts,
): Promise<ErasureRecord> {
  const listed = await parts.list.add(record)
  await parts.catchUp()
  await eraseAll(record.eventIds, parts)
  return listed
}

async function eraseAll(eventIds: readonly string[], parts: ErasureJobParts): Promise<ErasedContent> {
  const positions: readonly GlobalPosition[] = positionsOf(eventIds, parts.index)
  try {
    return await eraseContent(positions, parts)
  } finally {
    parts.forgetBlocks()
  }
}
