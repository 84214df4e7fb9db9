// Under which keys of the side table snapshots are kept: by owner, and among those of one owner by position.

import type { GlobalPosition } from '../../log/event.ts'
import type { SnapshotOwner } from './snapshot-record.ts'

export const ALL_SNAPSHOTS = 'snapshot/'

/** A snapshot that is there, by what its key says. */
export type Kept = Readonly<{ key: string; version: number; position: GlobalPosition }>

/** A stream name is never empty, so all documents together have a prefix of their own. */
export function prefixOf({ kind, name, streamName }: SnapshotOwner): string {
  return `${ALL_SNAPSHOTS}${[kind, name, streamName ?? ''].map(encodeURIComponent).join('/')}/`
}

/** Keys of one owner sort by position. */
export function keyOf(prefix: string, version: number, position: GlobalPosition): string {
  return `${prefix}${String(position).padStart(16, '0')}/${version}`
}

export const ownerPrefixOf = (key: string): string =>
  key.slice(0, key.lastIndexOf('/', key.lastIndexOf('/') - 1) + 1)

export function keptAt(key: string): Kept {
  const [position, version] = key.split('/').slice(-2).map(Number)
  return { key, position: position!, version: version! }
}

/** Null for all documents of a projection over all streams. */
export function streamOfKey(key: string): string | null {
  const encoded = key.split('/').at(-3)!
  return encoded === '' ? null : decodeURIComponent(encoded)
}
