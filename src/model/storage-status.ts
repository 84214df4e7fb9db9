// How much room there is for the store, and whether the browser may take it away: for the application to show.

export type StorageStatus = Readonly<{
  /** Whether the browser has promised not to evict what is stored; null where it does not say. */
  persisted: boolean | null
  /** Bytes that the origin takes, by the browser's estimate, which it blurs; null where it does not say. */
  usage: number | null
  /** Bytes that the origin may take at most, now; null where it does not say. */
  quota: number | null
  /** Little is left: free some, or have the user do it, before a write fails. */
  isLow: boolean
  /**
   * - `full`: the last write found no room. What is stored can be read, and writing goes on as soon as there is some.
   * - `may-be-evicted`: the browser was asked to keep what is stored, and did not promise it.
   * - `unknown`: this browser does not say, as WebKitGTK does not. A write that finds no room fails there, too.
   */
  problem: 'full' | 'may-be-evicted' | 'unknown' | null
}>
