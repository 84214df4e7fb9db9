// Messages by which replicas and server tell each other what was erased (docs/protocol.md), with decoders that believe
// nothing.

import { isEventId } from '../log/event-id.ts'
import type { Erasure } from '../model/erasure.ts'
import { epochIn } from './epoch-field.ts'
import { type Fields, fieldsOf, MalformedMessage, position, text } from './untrusted-json.ts'

/** Ids in one record at most. */
export const MAX_ERASED_IDS = 10_000
/** Characters of a reason at most. */
export const MAX_REASON = 1_024

export type EraseRequest = Erasure & Readonly<{ epoch: string }>

export type EraseReceipt = Readonly<{
  epoch: string
  /** Records in the server's list now. */
  count: number
}>

/** Records of the server's list behind `after`, in order. */
export type ErasuresPage = Readonly<{
  epoch: string
  after: number
  /** Records in the list. */
  count: number
  erasures: readonly Erasure[]
}>

/** @throws {@link MalformedMessage} */
export function decodeEraseRequest(json: unknown): EraseRequest {
  const fields = fieldsOf(json)
  return { epoch: epochIn(fields), ...erasureOf(fields) }
}

/** @throws {@link MalformedMessage} */
export function decodeEraseReceipt(json: unknown): EraseReceipt {
  const fields = fieldsOf(json)
  return { epoch: epochIn(fields), count: position(fields, 'count') }
}

/** @throws {@link MalformedMessage} */
export function decodeErasuresPage(json: unknown): ErasuresPage {
  const fields = fieldsOf(json)
  const erasures = listIn(fields, 'erasures').map(one => erasureOf(fieldsOf(one)))
  return {
    epoch: epochIn(fields),
    after: position(fields, 'after'),
    count: position(fields, 'count'),
    erasures,
  }
}

function erasureOf(fields: Fields): Erasure {
  const eventIds = listIn(fields, 'eventIds').map(id => {
    if (typeof id === 'string' && isEventId(id)) return id.toLowerCase()
    throw new MalformedMessage('unexpected', 'eventIds must be UUIDs')
  })
  if (eventIds.length === 0 || eventIds.length > MAX_ERASED_IDS) {
    throw new MalformedMessage('unexpected', `eventIds must be 1 to ${MAX_ERASED_IDS}`)
  }
  const reason = fields['reason'] === null ? null : text(fields, 'reason', MAX_REASON)
  return { eventIds, reason, erasedAt: position(fields, 'erasedAt') }
}

function listIn(fields: Fields, name: string): readonly unknown[] {
  const value = fields[name]
  if (Array.isArray(value)) return value
  throw new MalformedMessage('unexpected', `${name} must be a list`)
}
