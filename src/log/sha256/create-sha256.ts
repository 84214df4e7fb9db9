// SHA-256 for the log: the own WebAssembly module, or hash-wasm where that cannot run; WebCrypto for whole blocks.

import type { HashProvider } from '../hash-provider.ts'
import { createHashWasmSha256 } from './hash-wasm-sha256.ts'
import { createSimdSha256 } from './simd-sha256.ts'

/**
 * The provider keeps memory of its own and must stay on one thread.
 *
 * @throws whatever the platform throws where it forbids WebAssembly (by a Content-Security-Policy, for one).
 */
export async function createSha256(): Promise<HashProvider> {
  // Without SIMD the module does not compile. Where no WebAssembly may run, hash-wasm says so.
  const sha256 = await createSimdSha256().catch(createHashWasmSha256)
  // `subtle` is missing on pages served over plain http from anywhere but this machine.
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined
  return Object.assign(sha256, {
    digestLarge: subtle
      ? async (bytes: Uint8Array<ArrayBuffer>) => new Uint8Array(await subtle.digest('SHA-256', bytes))
      : async (bytes: Uint8Array<ArrayBuffer>) => sha256.digest(bytes),
  })
}
