// The digest the log is chained with, behind a seam: SHA-256, synchronous for entries, asynchronous for blocks.

export const HASH_BYTES = 32

/** Which inputs of {@link HashProvider.digestLinked} hold the digest of an earlier one, and where. */
export type DigestLinks = Readonly<{
  /** For input i, the number of the earlier input whose digest it holds; -1 where it holds none. */
  sources: Int32Array
  /** Where that digest goes: an offset into all bytes, not into the input. */
  holes: Uint32Array
}>

export interface HashProvider {
  /** SHA-256 of `bytes`. The result is the caller's to keep. Synchronous, since entries are linked in order. */
  digest(bytes: Uint8Array): Uint8Array
  /**
   * SHA-256 of many independent inputs, one behind the other: input i ends before byte `ends[i]`. 32 bytes a
   * digest, in order; the caller's to keep.
   */
  digestMany(bytes: Uint8Array, ends: Uint32Array): Uint8Array<ArrayBuffer>
  /**
   * As {@link digestMany}, in order, for inputs that hold the digest of another: it is copied into its hole before
   * the input is hashed. May write into `bytes`.
   */
  digestLinked(bytes: Uint8Array, ends: Uint32Array, links: DigestLinks): Uint8Array<ArrayBuffer>
  /** SHA-256 of a large input, off the thread where the platform can. */
  digestLarge(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array>
}
