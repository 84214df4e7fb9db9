// The digest the log is chained with, behind a seam: SHA-256, synchronous for entries, asynchronous for blocks.

export const HASH_BYTES = 32

export interface HashProvider {
  /** SHA-256 of `bytes`. The result is the caller's to keep. Synchronous, since entries are linked in order. */
  digest(bytes: Uint8Array): Uint8Array
  /** SHA-256 of a large input, off the thread where the platform can. */
  digestLarge(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>
}
