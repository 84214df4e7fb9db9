// Where sync stands, in words for people.

import type { SyncPhase, SyncStatus } from 'streamdingo'

/** Fits the button in the page's head. */
export const PHASES: Readonly<Record<SyncPhase, string>> = {
  off: 'No server',
  follower: 'Synced',
  pulling: 'Syncing…',
  pushing: 'Syncing…',
  idle: 'Synced',
  offline: 'Offline',
  waiting: 'No connection',
  stopped: 'Sync stopped',
}

export function explain({ phase, pending }: SyncStatus): string {
  if (pending === 0) return NOTHING_WAITS[phase] ?? 'Everything is on the server, too.'
  const changes =
    pending === 1
      ? 'One change is on this device only. It is safe in this browser'
      : `${pending.toLocaleString()} changes are on this device only. They are safe in this browser`
  return `${changes} and ${WHEN[phase] ?? 'will be on the server in a moment'}.`
}

/** Such as “12 seconds ago”. */
export function timeAgo(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((now - at) / 1000))
  if (seconds < 5) return 'just now'
  if (seconds < 90) return `${seconds} seconds ago`
  const minutes = Math.round(seconds / 60)
  return minutes < 90 ? `${minutes} minutes ago` : new Date(at).toLocaleString()
}

/** Such as “in 4 seconds”. */
export function timeUntil(at: number, now: number): string {
  const seconds = Math.max(0, Math.round((at - now) / 1000))
  if (seconds === 0) return 'now'
  return seconds === 1 ? 'in 1 second' : `in ${seconds} seconds`
}

const NOTHING_WAITS: Partial<Record<SyncPhase, string>> = {
  offline: 'Nothing waits. Go on working: what you do is kept here and sent later.',
  waiting: 'Nothing waits here, but the server may have news.',
  stopped: 'Nothing waits here, but news of the server do not arrive.',
  off: 'This board lives in this browser only.',
}

const WHEN: Partial<Record<SyncPhase, string>> = {
  offline: 'will be sent when you are online again',
  waiting: 'will be sent when the server answers',
  stopped: 'will be sent when sync goes on',
  off: 'will stay there',
}
