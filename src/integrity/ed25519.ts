// Ed25519 (RFC 8032) by WebCrypto: keys that never leave the platform's hands.

const ALGORITHM = 'Ed25519'
export const PUBLIC_KEY_BYTES = 32
export const SIGNATURE_BYTES = 64

export type KeyPair = Readonly<{ privateKey: CryptoKey; publicKey: Uint8Array<ArrayBuffer> }>

/**
 * A new key pair, whose private half cannot be read out by any script.
 *
 * @throws what the platform throws where it has no Ed25519: browsers before 2025, pages over plain http.
 */
export async function generateKeyPair(): Promise<KeyPair> {
  const pair = await generated(false)
  const publicKey = new Uint8Array(await subtle().exportKey('raw', pair.publicKey))
  return { privateKey: pair.privateKey, publicKey }
}

/** A private key that is kept outside, as PKCS #8, and its public half. @throws what WebCrypto throws for other bytes. */
export async function importKeyPair(pkcs8: Uint8Array<ArrayBuffer>): Promise<KeyPair> {
  // Only an extractable key gives its public half away, so it is read a second time for use.
  const readable = await subtle().importKey('pkcs8', pkcs8, { name: ALGORITHM }, true, ['sign'])
  const { x } = await subtle().exportKey('jwk', readable)
  const privateKey = await subtle().importKey('pkcs8', pkcs8, { name: ALGORITHM }, false, ['sign'])
  const base64 = x!.replaceAll('-', '+').replaceAll('_', '/')
  return { privateKey, publicKey: Uint8Array.from(atob(base64), char => char.charCodeAt(0)) }
}

/** A new private key as PKCS #8, for who keeps it outside: a server's file or secret store. */
export async function generatePrivateKey(): Promise<Uint8Array<ArrayBuffer>> {
  const pair = await generated(true)
  return new Uint8Array(await subtle().exportKey('pkcs8', pair.privateKey))
}

/** WebKitGTK (2.50) fails to make 17 keys of 1,500, each time for no reason that another try would meet. */
const ATTEMPTS = 5

async function generated(extractable: boolean): Promise<CryptoKeyPair> {
  for (let attempt = 1; ; attempt++) {
    try {
      return (await subtle().generateKey({ name: ALGORITHM }, extractable, [
        'sign',
        'verify',
      ])) as CryptoKeyPair
    } catch (error) {
      const isPassing = error instanceof DOMException && error.name === 'OperationError'
      if (!isPassing || attempt === ATTEMPTS) throw error
    }
  }
}

export async function sign(
  privateKey: CryptoKey,
  message: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await subtle().sign(ALGORITHM, privateKey, message))
}

/** False, too, for a key or a signature of another length. @throws where the platform has no Ed25519. */
export async function isSignedBy(
  publicKey: Uint8Array<ArrayBuffer>,
  signature: Uint8Array<ArrayBuffer>,
  message: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false
  const key = await subtle().importKey('raw', publicKey, { name: ALGORITHM }, false, ['verify'])
  return subtle().verify(ALGORITHM, key, signature, message)
}

/** Missing on pages that came over plain http from another machine. */
function subtle(): SubtleCrypto {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined
  if (!subtle) throw new Error('There is no WebCrypto here: it takes https, or localhost')
  return subtle
}
