// What the application is told of a state of sync.

import type { SyncPhase, SyncStatus } from '../model/sync-status.ts'
import type { SyncState } from './sync-state.ts'

/** But for what has to be read from the log. */
export type LoopStatus = Omit<SyncStatus, 'oldestPendingAt'>

export function statusOf(state: SyncState): LoopStatus {
  const { standing, timer, lastContactAt, error } = state
  return {
    phase: phaseOf(state),
    pending: standing.pending,
    rejected: standing.rejected,
    serverPosition: standing.position,
    unsentErasures: standing.erasures.unsent,
    lastContactAt,
    retryAt: timer?.purpose === 'retry' ? timer.at : null,
    error,
  }
}

function phaseOf({ life, isHalted, online, request, timer }: SyncState): SyncPhase {
  if (life !== 'running') return 'off'
  if (isHalted) return 'stopped'
  if (!online) return 'offline'
  if (request) return request.kind === 'pull' || request.kind === 'rejoin' ? 'pulling' : 'pushing'
  if (timer?.purpose === 'retry') return 'waiting'
  return timer?.purpose === 'linger' ? 'pushing' : 'idle'
}
