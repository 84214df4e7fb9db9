// AES-256-GCM by WebCrypto, with keys that no script can read out (NIST SP 800-38D).

const NAME = 'AES-GCM'
const KEY_BYTES = 32
const IV_BYTES = 12

export type Sealed = Readonly<{ iv: Uint8Array<ArrayBuffer>; sealed: Uint8Array }>

/**
 * A key to encrypt with, from its 32 bytes or from a key of WebCrypto, which no script can read out then. Null for what is
 * none: other lengths, algorithms or uses.
 */
export async function contentKeyFrom(key: Uint8Array<ArrayBuffer> | CryptoKey): Promise<CryptoKey | null> {
  if (!(key instanceof CryptoKey)) return key.length === KEY_BYTES ? importKey(key) : null
  const { name, length } = key.algorithm as AesKeyAlgorithm
  const isOne = name === NAME && length === KEY_BYTES * 8
  if (!isOne || !key.usages.includes('encrypt') || !key.usages.includes('decrypt')) return null
  return key.extractable ? importKey(new Uint8Array(await crypto.subtle.exportKey('raw', key))) : key
}

/** Ciphertext with its tag behind it. The IV is drawn by chance: 2^32 of one key are safe (SP 800-38D, 8.3). */
export async function sealContent(
  key: CryptoKey,
  plaintext: Uint8Array<ArrayBuffer>,
  additionalData: Uint8Array<ArrayBuffer>,
): Promise<Sealed> {
  const iv = crypto.getRandomValues(new Uint8Array(IV_BYTES))
  const sealed = await crypto.subtle.encrypt({ name: NAME, iv, additionalData }, key, plaintext)
  return { iv, sealed: new Uint8Array(sealed) }
}

/** Null where key, ciphertext, IV or additional data are not those that it was sealed with. */
export async function openContent(
  key: CryptoKey,
  { iv, sealed }: Readonly<{ iv: Uint8Array<ArrayBuffer>; sealed: Uint8Array<ArrayBuffer> }>,
  additionalData: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer> | null> {
  try {
    return new Uint8Array(await crypto.subtle.decrypt({ name: NAME, iv, additionalData }, key, sealed))
  } catch (error) {
    if (error instanceof DOMException && error.name === 'OperationError') return null
    throw error
  }
}

/**
 * Tells two keys apart without giving either away: the tag of an empty text under an IV that no event is likely to have, and
 * that is used for this one message alone.
 */
export async function keyCheckOf(key: CryptoKey): Promise<Uint8Array<ArrayBuffer>> {
  const parameters = { name: NAME, iv: new Uint8Array(IV_BYTES), additionalData: CHECKED }
  return new Uint8Array(await crypto.subtle.encrypt(parameters, key, new Uint8Array()))
}

const CHECKED = new TextEncoder().encode('streamdingo/key-check/1')

const importKey = (raw: Uint8Array<ArrayBuffer>): Promise<CryptoKey> =>
  crypto.subtle.importKey('raw', raw, NAME, false, ['encrypt', 'decrypt'])
