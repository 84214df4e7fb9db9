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
  const read = readChanges(changes, version)
  return read && { reason, changes: read }
}

const isNewIn = (change: OrderChange): boolean => newVersionIn(change) !== null

function parse(payload: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(payload))
  } catch {
    return null
  }
}

/**
 * The events that are put in stand right before the amendment, in the order of the changes, and none is named before it
 * is put in.
 */
function readChanges(values: readonly unknown[], version: StreamVersion): OrderChange[] | null {
  const changes: OrderChange[] = []
  let next = version - values.filter(isPuttingIn).length
  for (const value of values) {
    const change = readChange(value, next)
    if (!change) return null
    changes.push(change)
    if (isNewIn(change)) next++
  }
  return changes
}

const isPuttingIn = (value: unknown): boolean => {
  const kind = typeof value === 'object' && value !== null && 'kind' in value ? value.kind : null
  return kind === 'insert' || kind === 'replace'
}

/** Nothing but what its kind has: two readers must come to the same. Versions before `next` have an event. */
function readChange(value: unknown, next: StreamVersion): OrderChange | null {
  if (typeof value !== 'object' || value === null) return null
  const { kind, version, after, by } = value as Record<string, unknown>
  const isVersion = (one: unknown, from: number): one is StreamVersion =>
    Number.isSafeInteger(one) && Number(one) >= from && Number(one) < next
  switch (kind) {
    case 'insert':
      return version === next && version > 0 && isVersion(after, 0) ? { kind, version, after } : null
    case 'replace':
      return isVersion(version, 1) && by === next ? { kind, version, by } : null
    case 'remove':
      return isVersion(version, 1) ? { kind, version } : null
    case 'move':
      return isVersion(version, 1) && isVersion(after, 0) && after !== version
        ? { kind, version, after }
        : null
    default:
      return null
  }
}
