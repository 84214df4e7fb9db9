// What an application writes for appends that meet events of others: a merge.

import type { Event, RecordedEvent, StreamVersion } from '../log/event.ts'

/** One stream of a pending commit, which has got other events than the commit was appended behind. */
export type Conflict<S = unknown, E extends Event = Event> = Readonly<{
  streamName: string
  /** Version up to which both sides had the same. */
  baseVersion: StreamVersion
  /** State of the merge's decider at that version; undefined where it names none. */
  baseState: S
  /** What others appended behind it, in order. Empty where they amended the stream, or where less of one's own came before. */
  remote: readonly RecordedEvent<E>[]
  /** State that the result is appended behind: with `remote`, and with what this device has pending before the commit. */
  state: S
  /** What the commit appends to the stream, in order, but for what was erased of it. */
  local: readonly RecordedEvent<E>[]
}>

/**
 * What is appended in the place of `local`: events of `local` as they are; `{ ...event, data }` of one of them, which keeps
 * its id; new events, whose ids are derived from that of the first local one. None, where `remote` says it all.
 */
export type Merged<E extends Event = Event> = readonly (E | RecordedEvent<E>)[]

/**
 * Decides what becomes of appends with `onConflict: { merge: name }` when the server has other events for their stream.
 * Asked again when more of them come.
 */
export type MergeDefinition<S = unknown, E extends Event = Event> = Readonly<{
  /** Whose state the conflict tells: a decider of the app, for these streams. */
  decider?: string
  /**
   * Pure and synchronous. `reject`, or an error whose message is the reason, rejects the whole commit, with all of its
   * streams; the rejection has its events.
   */
  merge: (conflict: Conflict<S, E>) => Merged<E> | 'reject'
}>

// biome-ignore lint/suspicious/noExplicitAny: a bound for merges of any state and event
export type AnyMerge = MergeDefinition<any, any>
