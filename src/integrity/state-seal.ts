// A seal on what the store derives and keeps beside its log, by a key of this device: whoever edits the database from
// outside can compute every digest in it anew, but no seal.

import { HASH_BYTES } from '../log/hash-provider.ts'

export const SEAL_BYTES = HASH_BYTES

/** Seals digests. Another use of the same key needs another `purpose`. */
export type StateSeal = Readonly<{
  seal: (digest: Uint8Array) => Promise<Uint8Array>
  holds: (digest: Uint8Array, seal: Uint8Array) => Promise<boolean>
}>

const ALGORITHM = { name: 'HMAC', hash: 'SHA-256' }

/** A new key that no script can read out. @throws what the platform throws where it has no WebCrypto */
export const generateSealKey = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey(ALGORITHM, false, ['sign', 'verify']) as Promise<CryptoKey>

export function createStateSeal(key: CryptoKey, purpose: string): StateSeal {
  const prefix = new TextEncoder().encode(`${purpose}\0`)
  const message = (digest: Uint8Array): Uint8Array<ArrayBuffer> => {
    const bytes = new Uint8Array(prefix.length + digest.length)
    bytes.set(prefix)
    bytes.set(digest, prefix.length)
    return bytes
  }
  return {
    seal: async digest => new Uint8Array(await crypto.subtle.sign('HMAC', key, message(digest))),
    holds: (digest, seal) => crypto.subtle.verify('HMAC', key, seal.slice(), message(digest)),
  }
}
