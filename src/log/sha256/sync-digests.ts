// What a SHA-256 has to offer here, and what inputs must be like, whichever computes it.

import { type DigestLinks, HASH_BYTES, type HashProvider } from '../hash-provider.ts'

/** A {@link HashProvider} without what WebCrypto does. */
export type SyncDigests = Omit<HashProvider, 'digestLarge'>

/** @throws RangeError where an input does not lie within `bytes`, or what it holds not within the input. */
export function checkInputs(bytes: Uint8Array, ends: Uint32Array, links?: DigestLinks): void {
  let start = 0
  for (let i = 0; i < ends.length; i++) {
    const end = ends[i]!
    // Negated, so that a hole or a source that is missing fails too.
    if (!(start <= end && end <= bytes.length)) throw new RangeError(`input ${i} ends at ${end}`)
    if (links && links.sources[i] !== -1) checkLink(links, i, { start, end })
    start = end
  }
}

function checkLink({ sources, holes }: DigestLinks, i: number, input: { start: number; end: number }): void {
  const source = sources[i]!
  const hole = holes[i]!
  if (!(source >= 0 && source < i)) throw new RangeError(`input ${i} holds the digest of ${source}`)
  if (!(hole >= input.start && hole + HASH_BYTES <= input.end)) {
    throw new RangeError(`input ${i} holds a digest at ${hole}`)
  }
}
