// What an application appends and what it reads back: the event types every other file speaks of.

/** How many events a stream holds, counted from 1; 0 means that there is no such stream. */
export type StreamVersion = number

/**
 * Place of an entry in this replica's log, counted from 1. Never given out twice and never reassigned: an
 * event that sync had to rebase appears again at a later position. Two replicas agree on the *order* of
 * confirmed events, not on these numbers; {@link RecordedMetadata.status} tells which are confirmed.
 */
export type GlobalPosition = number

/** 64 lower-case hexadecimal digits of a SHA-256 digest. */
export type Hash = string & { readonly __hash: unique symbol }

/** A fact to be recorded. `id` is a UUID; without one, the client makes a version 7 UUID. */
export type Event<T extends string = string, D = unknown, M extends object = object> = Readonly<{
  type: T
  data: D
  id?: string
  tags?: readonly string[]
  metadata?: M
  /** Version of the shape of `data`, 1 where it is left out. */
  schemaVersion?: number
}>

/** Whether the server has the event in its log, or only this replica has. */
export type EventStatus = 'pending' | 'confirmed'

/** What the log knows of an event beside its payload. */
export type RecordedMetadata = Readonly<{
  eventId: string
  streamName: string
  streamVersion: StreamVersion
  globalPosition: GlobalPosition
  /** Milliseconds since the Unix epoch, by the clock of the replica that wrote the event. */
  recordedAt: number
  schemaVersion: number
  status: EventStatus
  previousHash: Hash
  hash: Hash
}>

/** An event as it was read from the log. */
export type RecordedEvent<E extends Event = Event> = E extends Event
  ? Readonly<{
      type: E['type']
      data: E['data']
      tags: readonly string[]
      metadata: RecordedMetadata & NonNullable<E['metadata']>
    }>
  : never

/**
 * Streams whose name starts with this are the store's own. They are hashed and chained as all others, stay
 * on the replica that wrote them, and cannot be appended to by an application.
 */
export const SYSTEM_STREAM_PREFIX = '$'
