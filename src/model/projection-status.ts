// How far a projection has come, and what holds it back.

import type { GlobalPosition } from '../log/event.ts'

/**
 * - `current`: everything that the log has is folded, or would be for whoever asks.
 * - `catching-up`: there is more to fold; what is given stands at `processedPosition`.
 * - `rebuilding`: everything is folded again, aside; what is given is the last state from before.
 * - `taken-over`: rows of a read model that a tab with other handlers, opened later, has made anew and keeps. This tab
 *   leaves them alone from then on: reload it.
 * - `stopped`: at an event whose handler failed. What is given is the state before it, or in the middle of a rebuild still
 *   the last one from before that, until `resume` or `skip`.
 */
export type ProjectionPhase = 'current' | 'catching-up' | 'rebuilding' | 'taken-over' | 'stopped'

/** An event whose handler failed. Nothing behind it is folded: of its document, or of the whole projection. */
export type StoppedAt = Readonly<{
  eventId: string
  type: string
  streamName: string
  globalPosition: GlobalPosition
  /** What the handler threw, in words. */
  problem: string
}>

/** An event that is passed by as the application said so. It is folded all the same once its type's handler has changed. */
export type SkippedEvent = Readonly<{
  eventId: string
  type: string
  /** Milliseconds since the Unix epoch. */
  skippedAt: number
}>

export type ProjectionStatus = Readonly<{
  phase: ProjectionPhase
  /** Every event up to this position was folded or passed by; while rebuilding, by what is folded aside. */
  processedPosition: GlobalPosition
  /** Where the log ends. */
  headPosition: GlobalPosition
  /** Of a projection with a document for each stream, those of the streams that were asked for; else one at most. */
  stoppedAt: readonly StoppedAt[]
  /** Of this device. */
  skipped: readonly SkippedEvent[]
}>

export type WhenProcessedOptions = Readonly<{
  /** Milliseconds. Default: for ever. */
  timeoutMs?: number
  signal?: AbortSignal
}>
