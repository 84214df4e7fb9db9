// The door streamdingo/server/jwt: rights from signed tokens (RFC 7519), verified by jose. The store comes from a claim.

import {
  type CryptoKey,
  createLocalJWKSet,
  createRemoteJWKSet,
  customFetch,
  errors,
  type JSONWebKeySet,
  type JWK,
  type JWTPayload,
  type JWTVerifyGetKey,
  type JWTVerifyOptions,
  jwtVerify,
} from 'jose'
import { type Access, type Authorize, bearerToken, Unavailable } from './access.ts'

/** By a secret that issuer and server share (HS…), or by a key pair of the issuer's. Never `none`. */
export type JwtAlgorithm =
  | 'HS256'
  | 'HS384'
  | 'HS512'
  | 'RS256'
  | 'RS384'
  | 'RS512'
  | 'PS256'
  | 'PS384'
  | 'PS512'
  | 'ES256'
  | 'ES384'
  | 'ES512'
  | 'EdDSA'
  | 'Ed25519'

export type JwtAuthorizeOptions = Readonly<{
  /**
   * What tokens are verified with: a secret's bytes, a public key, a set of keys, or the address where the issuer
   * shows its set (https), which is fetched when a token names a key that is not known, at most every 30 s.
   */
  keys: Uint8Array | CryptoKey | JWK | JSONWebKeySet | URL
  /** The ones that a token may be signed by. What its own header says decides nothing. */
  algorithms: readonly JwtAlgorithm[]
  /** Whose tokens are taken (`iss`). */
  issuer: string | readonly string[]
  /** What a token must be for (`aud`): without it, one that another service was given would do here. */
  audience: string | readonly string[]
  /** How far clocks may differ. Default 5. */
  clockToleranceSeconds?: number
  /** Most seconds since a token was issued (`iat`), however long it says that it is valid. Default: as it says. */
  maxAgeSeconds?: number
  /** The store that the token is for. Null, or nothing, for a token that names none: 401. */
  storeId: (claims: JWTPayload) => unknown
  /** What it may do there. */
  rights: (claims: JWTPayload) => Pick<Access, 'read' | 'append' | 'erase'>
  /** How sets of keys are fetched. Default: the platform's `fetch`. */
  fetch?: typeof globalThis.fetch
}>

/** Longer ones are not looked at. Servers bound their headers as well, at about as much. */
const MAX_TOKEN_CHARS = 8192

/** Longer names of stores are none: as long as a name in the log may be. */
const MAX_STORE_ID_BYTES = 1024

/**
 * Takes bearer tokens that carry an `exp` and are signed by one of `algorithms`; whatever else is wrong with one is a
 * 401 alike, so that nobody learns what. The subject is `sub`. An issuer whose keys cannot be fetched makes a 503.
 *
 * @throws `TypeError` for algorithms that cannot be told apart safely, or keys that do not fit them
 */
export function jwtAuthorize(options: JwtAuthorizeOptions): Authorize {
  const { storeId: storeIdOf, rights: rightsOf, clockToleranceSeconds = 5 } = options
  const keyOf = keySource(options)
  const terms: JWTVerifyOptions = {
    algorithms: checkedAlgorithms(options),
    issuer: [options.issuer].flat(),
    audience: [options.audience].flat(),
    clockTolerance: clockToleranceSeconds,
    requiredClaims: ['exp', 'iss', 'aud'],
    ...(options.maxAgeSeconds !== undefined && { maxTokenAge: options.maxAgeSeconds }),
  }

  return async request => {
    const token = bearerToken(request)
    if (token === null || token.length > MAX_TOKEN_CHARS) return null
    const claims = await claimsOf(token, keyOf, terms)
    const storeId = claims && storeIdOf(claims)
    if (!claims || typeof storeId !== 'string' || !isName(storeId)) return null
    return {
      ...rightsOf(claims),
      storeId,
      ...(typeof claims.sub === 'string' && { subject: claims.sub }),
      expiresAt: endOf(claims, clockToleranceSeconds, options.maxAgeSeconds) * 1000,
    }
  }
}

async function claimsOf(
  token: string,
  keyOf: JWTVerifyGetKey,
  terms: JWTVerifyOptions,
): Promise<JWTPayload | null> {
  try {
    return (await jwtVerify(token, keyOf, terms)).payload
  } catch (error) {
    if (isTokensFault(error)) return null
    throw error
  }
}

/** Whatever a stranger can bring about by what is in a token. */
function isTokensFault(error: unknown): boolean {
  return error instanceof errors.JOSEError && !(error instanceof errors.JWKSInvalid)
}

function keySource({ keys, fetch }: JwtAuthorizeOptions): JWTVerifyGetKey {
  if (keys instanceof URL) return remoteKeys(keys, fetch)
  if (isKeySet(keys)) return createLocalJWKSet(keys)
  // In a set, a key is passed by where a token's algorithm is none of its own: that is the token's fault.
  if ('kty' in keys) return createLocalJWKSet({ keys: [keys] })
  return () => keys
}

/** jose answers by errors of one class, whether a token names no key or the issuer is away: these are told apart here. */
function remoteKeys(url: URL, fetch: typeof globalThis.fetch | undefined): JWTVerifyGetKey {
  if (url.protocol !== 'https:' && !isThisMachine(url)) {
    throw new TypeError('Keys are fetched over https: over http anybody on the way can put in others')
  }
  const keyOf = createRemoteJWKSet(url, fetch && { [customFetch]: fetch })
  return async (header, token) => {
    try {
      return await keyOf(header, token)
    } catch (cause) {
      if (cause instanceof errors.JWKSNoMatchingKey || cause instanceof errors.JWKSMultipleMatchingKeys)
        throw cause
      if (cause instanceof errors.JOSENotSupported) throw cause
      throw new Unavailable('The keys of the issuer of tokens cannot be fetched', { cause })
    }
  }
}

const isThisMachine = ({ hostname }: URL): boolean => ['localhost', '127.0.0.1', '[::1]'].includes(hostname)

const isKeySet = (keys: object): keys is JSONWebKeySet => 'keys' in keys && Array.isArray(keys.keys)

/** A public key is known to all: taken for the secret of an HMAC, it would let anybody sign (RFC 8725, section 2.1). */
function checkedAlgorithms({ algorithms, keys }: JwtAuthorizeOptions): string[] {
  if (algorithms.length === 0) throw new TypeError('Name the algorithms that tokens may be signed by')
  const unknown = algorithms.find(algorithm => !ALGORITHM.test(algorithm))
  if (unknown !== undefined) throw new TypeError(`Tokens are not signed by "${unknown}"`)
  const shared = algorithms.filter(algorithm => algorithm.startsWith('HS')).length
  const isSecret = keys instanceof Uint8Array
  if (isSecret ? shared < algorithms.length : shared > 0) {
    throw new TypeError('Secrets verify HS algorithms alone, and public keys all others: not both')
  }
  const unfit = keys instanceof CryptoKey && algorithms.find(algorithm => !fits(algorithm, keys.algorithm))
  if (unfit) throw new TypeError(`This key does not verify ${unfit}`)
  const bits = Math.max(0, ...algorithms.map(algorithm => Number(algorithm.slice(2))))
  if (isSecret && keys.length * 8 < bits) throw new TypeError(`A secret has ${bits} bits at least`)
  return [...algorithms]
}

/** What WebCrypto calls the algorithm of a key, with its hash or curve, and RFC 7518 (section 3.1) that of a token. */
function fits(algorithm: string, of: KeyAlgorithm & { hash?: KeyAlgorithm; namedCurve?: string }): boolean {
  switch (of.name) {
    case 'Ed25519':
      return algorithm === 'EdDSA' || algorithm === 'Ed25519'
    case 'ECDSA':
      return algorithm === { 'P-256': 'ES256', 'P-384': 'ES384', 'P-521': 'ES512' }[of.namedCurve ?? '']
    case 'RSASSA-PKCS1-v1_5':
      return algorithm === `RS${of.hash?.name.slice(4)}`
    case 'RSA-PSS':
      return algorithm === `PS${of.hash?.name.slice(4)}`
    default:
      return false
  }
}

const ALGORITHM = /^((HS|RS|PS|ES)(256|384|512)|EdDSA|Ed25519)$/

function endOf(
  { exp = 0, iat }: JWTPayload,
  toleranceSeconds: number,
  maxAgeSeconds = Number.POSITIVE_INFINITY,
): number {
  return Math.min(exp, (iat ?? exp) + maxAgeSeconds) + toleranceSeconds
}

const isName = (text: string): boolean =>
  text !== '' && new TextEncoder().encode(text).length <= MAX_STORE_ID_BYTES && text.isWellFormed()
