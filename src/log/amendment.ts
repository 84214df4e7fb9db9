// What an amendment says: where events of its stream stand from then on, though all entries stay where they are. The
// events that it puts in are recorded right before it, in the same commit, as any others.

import { textOf, utf8 } from './bytes.ts'
import type { StreamVersion } from './event.ts'

export const AMENDMENT_TYPE = '$amendment'
/** Characters. */
export const MAX_AMENDMENT_REASON = 1_024
/** Of one amendment. */
export const MAX_ORDER_CHANGES = 10_000

/** In versions of the stream. `after` 0 is the beginning. */
export type OrderChange =
  | Readonly<{ kind: 'insert' | 'move'; version: StreamVersion; after: StreamVersion }>
  | Readonly<{ kind: 'replace'; version: StreamVersion; by: StreamVersion }>
  | Readonly<{ kind: 'remove'; version: StreamVersion }>

export type AmendmentContent = Readonly<{ reason: string; changes: readonly OrderChange[] }>

export const amendmentBytes = ({ reason, changes }: AmendmentContent): Uint8Array<ArrayBuffer> =>
  utf8(JSON.stringify({ reason, changes }))

/** How many events a change puts in. */
export const newEventsIn = (changes: readonly OrderChange[]): number => changes.filter(isNewIn).length

/** The event that a change puts in; null for one that puts in none. */
export function newVersionIn(change: OrderChange): StreamVersion | null {
  if (change.kind === 'insert') return change.version
  return change.kind === 'replace' ? change.by : null
}

/** Null for what no amendment at this version of its stream says. */
export function readAmendment(payload: Uint8Array, version: StreamVersion): AmendmentContent | null {
  const content = parse(payload)
  if (typeof content !== 'object' || content === null) return null
  const { reason, changes } = content as Record<string, unknown>
  if (typeof reason !== 'string' || reason.length > MAX_AMENDMENT_REASON || !Array.isArray(changes))
    return null
  if (changes.length === 0 || changes.length > MAX_ORDER_CHANGES) return null
  if (!changes.every(change => isOrderChange(change, version))) return null
  return areNewInOrder(changes, version) ? { reason, changes } : null
}

const isNewIn = (change: OrderChange): boolean => newVersionIn(change) !== null

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(payload))
  } catch {
    return null
  }
}

function isOrderChange(value: unknown, end: StreamVersion): value is OrderChange {
  if (typeof value !== 'object' || value === null) return false
  const { kind, version, after, by } = value as Record<string, unknown>
  const isVersion = (one: unknown, from: number) =>
    Number.isSafeInteger(one) && Number(one) >= from && Number(one) < end
  if (!isVersion(version, 1)) return false
  if (kind === 'insert' || kind === 'move') return isVersion(after, 0) && after !== version
  if (kind === 'replace') return isVersion(by, 1) && by !== version
  return kind === 'remove'
}

/** The events that are put in stand right before the amendment, in the order of the changes. */
function areNewInOrder(changes: readonly OrderChange[], version: StreamVersion): boolean {
  const added = changes.flatMap(change => newVersionIn(change) ?? [])
  return added.every((one, i) => one === version - added.length + i)
}
