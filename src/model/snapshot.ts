// Snapshots as the application sees them.

import type { GlobalPosition, Hash, StreamVersion } from '../log/event.ts'

/** A document of a projection, as far as it is folded. */
export type Snapshot<S> = Readonly<{
  state: S
  /** Stream version of the last event folded, for a document of one stream; else how many events were folded. */
  streamVersion: StreamVersion
  /** Position of the last event folded into this document. */
  globalPosition: GlobalPosition
  /** Place in the server's log up to which the server has confirmed; 0 before the first contact. */
  confirmedPosition: number
  /** How many of the events folded are not confirmed by the server. */
  pending: number
}>

/** A snapshot with the hash of its state (RFC 8785), for comparison between replicas. */
export type HashedSnapshot<S> = Snapshot<S> & Readonly<{ stateHash: Hash; handlerVersion: string }>
