// How long tabs wait for one another.

export type SyncTimings = Readonly<{
  /** The tab that leads says so at least that often, in milliseconds. */
  heartbeatMs: number
  /** One that was not heard for so long, and up to half as long again, is taken for frozen. */
  silenceMs: number
}>

export const SYNC_TIMINGS: SyncTimings = { heartbeatMs: 5_000, silenceMs: 20_000 }
