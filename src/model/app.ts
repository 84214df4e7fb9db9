// What an application writes: deciders, projections, and the app that names them.

import type { Event, RecordedEvent, RecordedMetadata } from '../log/event.ts'
import type { AnyMerge } from './merge.ts'
import type { SnapshotPolicy } from './snapshot-policy.ts'

/** A wish that a decider turns into events or refuses. Plain JSON: it crosses to the worker and is kept. */
export type Command<T extends string = string, D = unknown, M extends object = object> = Readonly<{
  type: T
  data: D
  metadata?: M
}>

/** One pure handler for each event type; types without one leave the state as it is. */
export type Handlers<S, E extends Event> = {
  readonly [T in E['type']]?: (state: S, event: RecordedEvent<Extract<E, { type: T }>>) => S
}

/** How an event changes a state: pure, synchronous, without mutating the state it is given. */
export type Evolve<S, E extends Event> = ((state: S, event: RecordedEvent<E>) => S) | Handlers<S, E>

/**
 * What the code of handlers is known by: written beside them by the build plugin (`streamdingo/vite`), not by hand. Each
 * hash covers all that the code uses, in whichever file, and nothing that makes no difference, such as names.
 */
export type HandlerCode = Readonly<{
  /** Version of the way in which it is hashed. */
  hasher: number
  /** Of what counts for every event: the initial state, and to which document an event belongs. */
  base: string
  /** By event type; `*` where one function handles all. */
  handlers: Readonly<Record<string, string>>
}>

/** Decides on commands against the state of one stream. */
export type DeciderDefinition<S, C extends Command, E extends Event> = Readonly<{
  /** The stream that holds the events of the thing with this id. */
  streamName: (id: string) => string
  initialState: () => S
  evolve: Evolve<S, E>
  /** Returns what happened, nothing (`[]`) when there is nothing to do, or throws to refuse. */
  decide: (command: C, state: S) => E | readonly E[]
  /**
   * Without the build plugin, raise it when `evolve` changes: snapshots made by another version are not used. With it
   * there is no need to; raised, everything is folded again. Default `'1'`.
   */
  version?: string
  snapshot?: SnapshotPolicy
  /** Written by the build plugin. */
  handlerCode?: HandlerCode
}>

/** Folds events into documents for the page to show. */
export type ProjectionDefinition<S, E extends Event> = Readonly<{
  /** Event types to fold; others are passed by. */
  canHandle: readonly E['type'][]
  /** Only streams of these categories: what their names have before the first `-`. Left out: all. */
  categories?: readonly string[]
  /**
   * - `inline`, the default: who asks for a document after an append was answered gets one with its events in it.
   * - `async`: folded in the background, all documents together. Who asks gets at once what there is, which may be behind;
   *   `whenProcessed` waits. While all is folded again, as behind a changed handler, the state from before is given.
   */
  handling?: 'inline' | 'async'
  /**
   * The document an event belongs to, or null for none. Where it is left out, every stream is a document of its
   * own; with `inline` it is then folded when it is asked for, from that stream alone.
   */
  getDocumentId?: (event: RecordedEvent<E>) => string | null
  initialState: () => S
  evolve: Evolve<S, E>
  /**
   * Without the build plugin, raise it when `evolve` changes: snapshots made by another version are not used. With it
   * there is no need to; raised, everything is folded again. Default `'1'`.
   */
  version?: string
  snapshot?: SnapshotPolicy
  /** Written by the build plugin. */
  handlerCode?: HandlerCode
}>

// `never` and `any` here are bounds: each definition keeps its own types, see StateOf and CommandOf.
// biome-ignore lint/suspicious/noExplicitAny: a bound for definitions of any state, command and event
export type AnyDecider = DeciderDefinition<any, any, any>
// biome-ignore lint/suspicious/noExplicitAny: a bound for definitions of any state and event
export type AnyProjection = ProjectionDefinition<any, any>

/**
 * Brings an event that was recorded in an older shape into the next one, whenever it is read. What is recorded, and what
 * is hashed of it, stays as it is.
 */
export type Upcaster = Readonly<{
  /** Of the event as it is now. */
  type: string
  /** Schema version of the event as it is now: what its `schemaVersion` was when it was appended, 1 without one. */
  from: number
  /** Type of the event that it makes. Default: the same. */
  to?: string
  /** Schema version of the event that it makes. Default: one more. */
  toVersion?: number
  /** Pure and synchronous. Gives the data in the next shape. */
  upcast: (data: unknown, metadata: RecordedMetadata) => unknown
  /** Written by the build plugin. */
  handlerCode?: HandlerCode
}>

/** Everything of an application that the worker needs. The page imports only its type. */
export type App = Readonly<{
  deciders?: Readonly<Record<string, AnyDecider>>
  projections?: Readonly<Record<string, AnyProjection>>
  /** What becomes of appends whose stream has got other events first: see `AppendOptions.onConflict`. */
  merges?: Readonly<Record<string, AnyMerge>>
  /** One after the other, as long as one fits. */
  upcasters?: readonly Upcaster[]
  /** All types of events that this version of the application knows. Left out: whatever there is. */
  eventTypes?: readonly string[]
  /**
   * What is done with events of other types, such as those of a newer version that another tab runs: `keep` hands them on
   * as they are, `ignore` leaves them out of reads and folds, `fail` has reads fail and folds stop there, so that nothing
   * is decided in ignorance. Default `keep`.
   */
  unknownEvents?: 'keep' | 'ignore' | 'fail'
}>

export type DecidersOf<A extends App> = A extends { deciders: infer D } ? D : Record<never, never>
export type ProjectionsOf<A extends App> = A extends { projections: infer P } ? P : Record<never, never>
/** Names of the app's merges. */
export type MergeNameOf<A extends App> = A extends { merges: infer M } ? keyof M & string : never

export type CommandOf<X> = X extends { decide: (command: infer C, ...rest: never[]) => unknown } ? C : never
export type StateOf<X> = X extends { initialState: () => infer S } ? S : never
