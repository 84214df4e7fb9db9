// Under which keys of the side table snapshots are kept: by owner, and among those of one owner by position. A key says
// what is needed to tell which to keep, so that none has to be read for that.

import type { GlobalPosition } from '../../log/event.ts'
import type { SnapshotOwner } from './snapshot-record.ts'

export const ALL_SNAPSHOTS = 'snapshot/'

/** A snapshot that is there, by what its key says. */
export type Kept = Readonly<{
  /** '' as long as it is not written. */
  key: string
  position: GlobalPosition
  version: number
  /** Of the order that its events were in, see `SnapshotHeader`. */
  amendedAt: GlobalPosition
  /** Id of the code that it was made by. */
  codeId: string
  /** Seconds since the Unix epoch. */
  savedAt: number
  /** 0 as long as it is not written. */
  bytes: number
}>

/** A stream name is never empty, so all documents together have a prefix of their own. */
export function prefixOf({ kind, name, streamName }: SnapshotOwner): string {
  return `${ALL_SNAPSHOTS}${kind}/${encodeURIComponent(name)}/${encodeURIComponent(streamName ?? '')}/`
}

/** What the keys of all snapshots of a decider or projection begin with. */
export const familyPrefixOf = ({ kind, name }: Pick<SnapshotOwner, 'kind' | 'name'>): string =>
  prefixOf({ kind, name, streamName: null }).slice(0, -1)

/** Keys of one owner sort by position. */
export function keyOf(prefix: string, kept: Kept): string {
  const { position, version, amendedAt, codeId, savedAt, bytes } = kept
  return `${prefix}${String(position).padStart(16, '0')}/${version}/${amendedAt}/${codeId}/${savedAt}/${bytes}`
}

/** Null for a key that an older version of this library wrote, or somebody else. */
export function readKey(key: string): (SnapshotOwner & Kept & Readonly<{ prefix: string }>) | null {
  const parts = key.split('/')
  if (parts.length !== KEY_PARTS || !parts.slice(0, 4).every(isEncoded)) return null
  const [, kind, name, streamName] = parts.slice(0, 4).map(decodeURIComponent) as [
    string,
    string,
    string,
    string,
  ]
  const [position, version, amendedAt, codeId, savedAt, bytes] = parts.slice(4) as [
    string,
    string,
    string,
    string,
    string,
    string,
  ]
  return {
    key,
    prefix: `${parts.slice(0, 4).join('/')}/`,
    kind: kind as SnapshotOwner['kind'],
    name,
    streamName: streamName || null,
    position: Number(position),
    version: Number(version),
    amendedAt: Number(amendedAt),
    codeId,
    savedAt: Number(savedAt),
    bytes: Number(bytes),
  }
}

const KEY_PARTS = 10

function isEncoded(part: string): boolean {
  try {
    decodeURIComponent(part)
    return true
  } catch {
    return false
  }
}
