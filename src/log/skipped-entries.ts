// What a page of a log leaves out, told by its hashes.

/**
 * A stretch of entries that are not given: `start` is how many entries of the log are before it, `end` how many are with
 * it. `roots` are those of the perfect subtrees (RFC 6962) that it is made of, from the left.
 */
export type SkippedEntries = Readonly<{ start: number; end: number; roots: readonly Uint8Array[] }>
