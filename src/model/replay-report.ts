// What a replay did, and why.

/** Why events were folded that had been folded before. */
export type ReplayReason =
  /** There was no snapshot. */
  | 'no-snapshot'
  /** Only what came behind the newest snapshot. */
  | 'tail'
  /** Handlers of events in newer snapshots changed. */
  | 'handler-changed'
  /** Events in newer snapshots were superseded or erased. */
  | 'history-changed'
  /** Events in newer snapshots count in another order, or others do. */
  | 'history-amended'
  /** Newer snapshots were not what was written. */
  | 'snapshot-damaged'

/** What the fold of a document, or of all documents of a projection over all streams, began with, and how it ended. */
export type ReplayReport = Readonly<{
  kind: 'decider' | 'projection'
  name: string
  /** Null for a projection over all streams. */
  streamName: string | null
  reason: ReplayReason
  /** Version of the snapshot that it began behind; 0 where it began with the first event. */
  from: number
  /** Version where it ended. With `converged`, everything behind was taken from an older snapshot. */
  stoppedAt: number
  /** Events that were read, folded or passed by. */
  replayed: number
  /** Events that a full replay reads; of an amended stream, at most. */
  total: number
  /** The state came to be what it was before the change, with nothing ahead that is different or folded differently now. */
  converged: boolean
  /** Types whose handlers changed; null where what counts for every event did. */
  changedTypes: readonly string[] | null
  /** Only the text of the handlers was compared: the build plugin was not there. */
  isWeak: boolean
}>

/** What a fold would do that has nothing in memory, as after the next start. */
export type ReplayExplanation = Omit<ReplayReport, 'stoppedAt' | 'replayed' | 'converged'> &
  Readonly<{
    /** Versions, as they were then, at which folding ends early if the state is what it was before the change. */
    mayStopAt: readonly number[]
    /** All of this in words. */
    text: string
  }>
