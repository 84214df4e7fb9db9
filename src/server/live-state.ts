// One stream of hints as a pure state machine: what it tells and when, and how long it may live.

import type {
  AccessNow,
  EndReason,
  LogStanding,
  Question,
  ServerEffect,
  ServerInput,
  StreamEffect,
} from './server-io.ts'
import type { StoreState } from './server-state.ts'

/** Comments are sent so often while nothing happens, so that both ends notice a dead connection. */
export const HEARTBEAT_MS = 15_000

export type LiveStream = Readonly<{
  phase: 'live'
  storeId: string
  /** Whether the client has read what was sent. No queue is built up for one that does not. */
  hasRoom: boolean
  /** What the client knows of the log, null before the first hint. */
  told: LogStanding | null
  /** When the credentials end; null for never. */
  expiresAt: number | null
  recheckAt: number
  /** Null while the credentials are looked at. */
  wakesAt: number | null
}>

/** The stream, null when it is over, and what to do. */
type Stepped = readonly [LiveStream | null, readonly ServerEffect[]]

export function openStream(
  { storeId, expiresAt }: Extract<Question, { type: 'hints' }>,
  { recheckMs }: StoreState['limits'],
  now: number,
): readonly [LiveStream, readonly StreamEffect[]] {
  const recheckAt = now + recheckMs
  return wakeLater(
    { phase: 'live', storeId, hasRoom: false, told: null, expiresAt, recheckAt, wakesAt: null },
    now,
  )
}

export function stepStream(stream: LiveStream, input: ServerInput, store: StoreState, now: number): Stepped {
  switch (input.type) {
    case 'reads':
      return tell({ ...stream, hasRoom: true }, input.standing, store)
    case 'grew':
    case 'looked':
      return tell(stream, input.standing, store)
    case 'timer':
      if (stream.wakesAt === null) return [stream, []]
      return dueAt(stream) <= now ? lookAgain(stream, store, now) : beat(stream, now)
    case 'accessKnown':
      return stream.wakesAt === null ? takeAccess(stream, input.access, now) : [stream, []]
    case 'left':
    case 'closed':
      return [null, endOf(stream, 'closed')]
    default:
      return [stream, []]
  }
}

function tell(stream: LiveStream, standing: LogStanding, { epoch }: StoreState): Stepped {
  const { told, hasRoom } = stream
  const isNews = told?.head !== standing.head || told.erasures !== standing.erasures
  if (!hasRoom || !isNews) return [stream, []]
  const hint = { position: standing.head, epoch, erasures: standing.erasures }
  return [{ ...stream, hasRoom: false, told: standing }, [{ type: 'hint', hint }]]
}

function beat(stream: LiveStream, now: number): Stepped {
  const [next, effects] = wakeLater({ ...stream, hasRoom: false }, now)
  return stream.hasRoom ? [next, [{ type: 'beat' }, ...effects]] : [next, effects]
}

/**
 * At the credentials, and at the log: another server on the database may have written to it, and nobody asks this one. The
 * next look is due from now on, not from when this one is answered: nobody gains by being slow.
 */
function lookAgain(stream: LiveStream, { limits }: StoreState, now: number): Stepped {
  const recheckAt = now + limits.recheckMs
  return [{ ...stream, recheckAt, wakesAt: null }, [{ type: 'checkAccess' }, { type: 'look' }]]
}

function takeAccess(stream: LiveStream, access: AccessNow, now: number): Stepped {
  const expiresAt = access === 'unknown' || access === null ? stream.expiresAt : access.expiresAt
  const reason = reasonToEnd(access, stream.storeId) ?? (hasEnded(expiresAt, now) ? 'unauthenticated' : null)
  return reason ? [null, endOf(stream, reason)] : beat({ ...stream, expiresAt }, now)
}

function reasonToEnd(access: AccessNow, storeId: string): EndReason | null {
  if (access === null) return 'unauthenticated'
  if (access === 'unknown') return null
  return access.read && access.storeId === storeId ? null : 'forbidden'
}

const hasEnded = (expiresAt: number | null, now: number): boolean => expiresAt !== null && expiresAt <= now

function endOf({ wakesAt }: LiveStream, reason: EndReason | 'closed'): StreamEffect[] {
  const end = { type: 'end', reason } as const
  return wakesAt === null ? [end] : [{ type: 'cancelTimer' }, end]
}

/** When the credentials are to be looked at. */
const dueAt = ({ expiresAt, recheckAt }: LiveStream): number => Math.min(expiresAt ?? recheckAt, recheckAt)

function wakeLater(stream: LiveStream, now: number): readonly [LiveStream, readonly StreamEffect[]] {
  const delayMs = Math.max(0, Math.min(HEARTBEAT_MS, dueAt(stream) - now))
  return [{ ...stream, wakesAt: now + delayMs }, [{ type: 'schedule', delayMs }]]
}
