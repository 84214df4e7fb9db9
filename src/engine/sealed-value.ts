// Values of the side table that carry a digest: what is damaged is noticed and made anew.

import { sealedParts } from '../log/block.ts'
import { equalBytes } from '../log/bytes.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'

/** The content with its digest behind it. */
export async function sealedValue(content: Uint8Array, hash: HashProvider): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(content.length + HASH_BYTES)
  bytes.set(content)
  const parts = sealedParts(bytes)
  parts.digest.set(await hash.digestLarge(parts.content))
  return bytes
}

/** Null for bytes that are not what was written, and where there are none. */
export async function contentOf(
  bytes: Uint8Array<ArrayBuffer> | undefined,
  hash: HashProvider,
): Promise<Uint8Array | null> {
  if (!bytes || bytes.length < HASH_BYTES) return null
  const { content, digest } = sealedParts(bytes)
  return equalBytes(await hash.digestLarge(content), digest) ? content : null
}
