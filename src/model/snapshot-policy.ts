// When snapshots are made, in which form, and which of them are kept.

import type { SnapshotCodec } from './snapshot-codec.ts'

/** For all snapshots of a store. */
export type SnapshotsOptions = Readonly<{
  /** In which form states are stored. Default: as JSON. */
  codec?: SnapshotCodec
  /** Most bytes that all of them take, but for the newest of each document. Default 128 MiB. */
  maxBytes?: number
}>

/** What happened since the last snapshot of a document. */
export type SinceSnapshot = Readonly<{
  /** Events read, folded or passed by. */
  events: number
  /** Milliseconds; infinite where there is no snapshot yet. */
  ms: number
  /** How long folding these events again would take, in milliseconds, by what folds of this definition took so far. */
  replayMs: number
}>

/** Of older snapshots those are of use that a change of a handler leaves valid. */
export type SnapshotRetention = Readonly<{
  /** How many of the newest are kept. Default 3. */
  latest?: number
  /** Whether older ones are kept, too, each about twice as far back as the next. Default true. */
  spaced?: boolean
  /** Most bytes that the snapshots of one document take. Its newest is kept in any case. */
  maxBytes?: number
}>

/**
 * When to keep a snapshot: as soon as one of the conditions holds. A projection over all streams, whose snapshot holds
 * all of its documents, besides waits for as many events as it has documents.
 */
export type SnapshotPolicy =
  | 'never'
  | Readonly<{
      /** Events read, folded or passed by. Default 1,000 where there is no other condition. */
      every?: number
      /** Milliseconds since the last one, if there is anything new. */
      everyMs?: number
      /** Milliseconds that it would take to fold again what came since the last one. */
      replayMs?: number
      /** By the application's own judgement. Asked after each fold that read something new. */
      when?: (since: SinceSnapshot) => boolean
      keep?: SnapshotRetention
    }>
