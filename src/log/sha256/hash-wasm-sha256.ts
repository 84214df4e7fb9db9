// SHA-256 by hash-wasm, one input at a time: for platforms whose WebAssembly has no SIMD.

import { createSHA256 } from 'hash-wasm'
import { type DigestLinks, HASH_BYTES } from '../hash-provider.ts'
import { checkInputs, type SyncDigests } from './sync-digests.ts'

/** @throws where the platform forbids WebAssembly. */
export async function createHashWasmSha256(): Promise<SyncDigests> {
  const hasher = await createSHA256()
  const digest = (bytes: Uint8Array): Uint8Array => hasher.init().update(bytes).digest('binary')

  function digestAll(bytes: Uint8Array, ends: Uint32Array, links?: DigestLinks): Uint8Array<ArrayBuffer> {
    checkInputs(bytes, ends, links)
    const digests = new Uint8Array(ends.length * HASH_BYTES)
    for (let i = 0; i < ends.length; i++) {
      const source = links ? links.sources[i]! * HASH_BYTES : -1
      if (source >= 0) bytes.set(digests.subarray(source, source + HASH_BYTES), links!.holes[i])
      digests.set(digest(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i])), i * HASH_BYTES)
    }
    return digests
  }

  return {
    digest,
    digestMany: (bytes, ends) => digestAll(bytes, ends),
    digestLinked: digestAll,
  }
}
