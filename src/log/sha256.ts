// SHA-256 for the log: hash-wasm where a digest must be there at once, WebCrypto for whole blocks.

import { createSHA256 } from 'hash-wasm'
import type { HashProvider } from './hash-provider.ts'

/** Compiles the WebAssembly module once; the provider keeps one hasher and must stay on one thread. */
export async function createSha256(): Promise<HashProvider> {
  const hasher = await createSHA256()
  const digest = (bytes: Uint8Array): Uint8Array => hasher.init().update(bytes).digest('binary')
  // `subtle` is missing on pages served over plain http from anywhere but this machine.
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined
  return {
    digest,
    digestLarge: subtle
      ? async bytes => new Uint8Array(await subtle.digest('SHA-256', bytes))
      : async bytes => digest(bytes),
  }
}
