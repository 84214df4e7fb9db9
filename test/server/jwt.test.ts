import { base64url, CompactSign, exportJWK, generateKeyPair, SignJWT, UnsecuredJWT } from 'jose'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Unavailable } from '../../src/server/index.ts'
import { type JwtAuthorizeOptions, jwtAuthorize } from '../../src/server/jwt.ts'
import { serve } from './test-server.ts'

const NOW = 1_800_000_000
const ISSUER = 'https://issuer.example'
const AUDIENCE = 'sync.example'

const ec = await generateKeyPair('ES256', { extractable: true })
const otherEc = await generateKeyPair('ES256', { extractable: true })
const rsa = await generateKeyPair('RS256', { extractable: true })
const secret = crypto.getRandomValues(new Uint8Array(32))

beforeEach(() => {
  vi.useFakeTimers({ now: NOW * 1000, toFake: ['Date'] })
})

afterEach(() => {
  vi.useRealTimers()
})

type Claims = { [name: string]: unknown }

const claims = (more: Claims = {}): Claims => ({
  iss: ISSUER,
  aud: AUDIENCE,
  exp: NOW + 60,
  iat: NOW,
  sub: 'ann',
  tenant: 'board',
  ...more,
})

/** As `JSON.stringify` leaves out what is undefined. */
const sign = (payload: Claims, key: CryptoKey | Uint8Array = ec.privateKey, header: object = {}) =>
  new SignJWT(JSON.parse(JSON.stringify(payload))).setProtectedHeader({ alg: 'ES256', ...header }).sign(key)

function authorizeBy(options: Partial<JwtAuthorizeOptions> = {}) {
  const authorize = jwtAuthorize({
    keys: ec.publicKey,
    algorithms: ['ES256'],
    issuer: ISSUER,
    audience: AUDIENCE,
    storeId: ({ tenant }) => tenant,
    rights: ({ role }) => ({ read: true, append: role === 'guest' ? ['guest-*'] : true }),
    ...options,
  })
  return (token: string, path = '/v1/head') =>
    authorize(new Request(`http://server${path}`, { headers: { authorization: `Bearer ${token}` } }))
}

describe('a token', () => {
  test('gives the store, the rights, the subject and the end that it names', async () => {
    const authorize = authorizeBy()
    expect(await authorize(await sign(claims()))).toEqual({
      storeId: 'board',
      read: true,
      append: true,
      subject: 'ann',
      expiresAt: (NOW + 65) * 1000,
    })
    expect(await authorize(await sign(claims({ role: 'guest', sub: undefined })))).toMatchObject({
      append: ['guest-*'],
    })
  })

  test('is of one of several audiences, and by one of several issuers', async () => {
    const authorize = authorizeBy({ issuer: ['a', ISSUER], audience: ['b', AUDIENCE] })
    expect(await authorize(await sign(claims({ aud: ['x', AUDIENCE] })))).not.toBeNull()
  })

  test.each<[string, Claims]>([
    ['is for another audience', { aud: 'other.example' }],
    ['is for no audience', { aud: undefined }],
    ['is by another issuer', { iss: 'https://evil.example' }],
    ['is by nobody', { iss: undefined }],
    ['is over', { exp: NOW - 6 }],
    ['never ends', { exp: undefined }],
    ['ends at no time', { exp: 'tomorrow' }],
    ['is not valid yet', { nbf: NOW + 6 }],
    ['names no store', { tenant: undefined }],
    ['names a store of no name', { tenant: '' }],
    ['names a store by a number', { tenant: 7 }],
    ['names a store by a list', { tenant: ['board'] }],
    ['names a store that is too long', { tenant: 'x'.repeat(1025) }],
  ])('is refused when it %s', async (_case, more) => {
    expect(await authorizeBy()(await sign(claims(more)))).toBeNull()
  })

  test('may be over or early by as much as clocks differ', async () => {
    const authorize = authorizeBy({ clockToleranceSeconds: 10 })
    expect(await authorize(await sign(claims({ exp: NOW - 9 })))).not.toBeNull()
    expect(await authorize(await sign(claims({ nbf: NOW + 9 })))).not.toBeNull()
    expect(await authorize(await sign(claims({ exp: NOW - 11 })))).toBeNull()
  })

  test('is taken for so long as the server says, though it would last longer', async () => {
    const authorize = authorizeBy({ maxAgeSeconds: 30 })
    const long = await sign(claims({ exp: NOW + 10_000 }))
    expect(await authorize(long)).toMatchObject({ expiresAt: (NOW + 35) * 1000 })
    vi.setSystemTime((NOW + 36) * 1000)
    expect(await authorize(long)).toBeNull()
    expect(await authorize(await sign(claims({ iat: undefined })))).toBeNull()
  })

  test('says nothing by its path: the store is that of the token', async () => {
    const token = await sign(claims())
    expect(await authorizeBy()(token, '/v1/head?tenant=other&storeId=other')).toMatchObject({
      storeId: 'board',
    })
  })
})

describe('a forged token', () => {
  const unsecured = () => new UnsecuredJWT(claims()).encode()
  const publicAsSecret = async () =>
    sign(claims(), new TextEncoder().encode(JSON.stringify(await exportJWK(ec.publicKey))), { alg: 'HS256' })
  const changed = async () => {
    const [header, , signature] = (await sign(claims())).split('.')
    return `${header}.${base64url.encode(JSON.stringify(claims({ tenant: 'other' })))}.${signature}`
  }
  const relabelled = async (alg: string) => {
    const [, payload, signature] = (await sign(claims())).split('.')
    return `${base64url.encode(JSON.stringify({ alg }))}.${payload}.${signature}`
  }
  const critical = () =>
    new SignJWT(claims())
      .setProtectedHeader({ alg: 'ES256', crit: ['x'], x: 1 })
      .sign(ec.privateKey, { crit: { x: true } })
  const noClaims = (text: string) =>
    new CompactSign(new TextEncoder().encode(text)).setProtectedHeader({ alg: 'ES256' }).sign(ec.privateKey)

  test.each<[string, () => string | Promise<string>]>([
    ['by nobody (alg none)', unsecured],
    ['by the public key as a secret', publicAsSecret],
    ['by another key', () => sign(claims(), otherEc.privateKey)],
    ['by an algorithm that is not allowed', () => sign(claims(), rsa.privateKey, { alg: 'RS256' })],
    ['with other claims', changed],
    ['with alg none and a signature', () => relabelled('none')],
    ['with alg NONE and a signature', () => relabelled('NONE')],
    ['with alg HS256 and a signature', () => relabelled('HS256')],
    ['with an alg that is none', () => relabelled('../ES256')],
    ['with a critical header that nobody knows', critical],
    [
      'with a key of its own',
      async () => sign(claims(), otherEc.privateKey, { jwk: await exportJWK(otherEc.publicKey) }),
    ],
    ['with an address of its own', () => sign(claims(), otherEc.privateKey, { jku: 'https://evil.example' })],
    ['of no claims', () => noClaims('[]')],
    ['of no JSON', () => noClaims('{')],
    ['without a signature', async () => (await sign(claims())).replace(/[^.]*$/, '')],
    ['cut short', async () => (await sign(claims())).slice(0, -3)],
    ['of two parts', async () => (await sign(claims())).split('.').slice(0, 2).join('.')],
    ['of five parts', () => 'a.b.c.d.e'],
    ['of noise', () => 'x'.repeat(50)],
  ])('is refused, %s', async (_case, forge) => {
    const authorize = authorizeBy()
    expect(await authorize(await forge())).toBeNull()
  })

  test('that is too long is not looked at', async () => {
    const verify = vi.spyOn(crypto.subtle, 'verify')
    const authorize = authorizeBy()
    expect(await authorize(await sign(claims({ more: 'x'.repeat(6000) })))).toBeNull()
    expect(await authorize('x'.repeat(1_000_000))).toBeNull()
    expect(verify).not.toHaveBeenCalled()
    expect(await authorize(await sign(claims()))).not.toBeNull()
    expect(verify).toHaveBeenCalled()
    verify.mockRestore()
  })

  test('is a 401 by the server, and so is none at all', async () => {
    const { call } = serve({ authorize: jwtAuthorize(options()) })
    expect((await call('/v1/head', {}, await sign(claims()))).status).toBe(200)
    expect((await call('/v1/head', {}, unsecured())).status).toBe(401)
    expect((await call('/v1/head', { headers: { authorization: '' } })).status).toBe(401)
  })
})

const options = (more: Partial<JwtAuthorizeOptions> = {}): JwtAuthorizeOptions => ({
  keys: ec.publicKey,
  algorithms: ['ES256'],
  issuer: ISSUER,
  audience: AUDIENCE,
  storeId: ({ tenant }) => tenant,
  rights: () => ({ read: true, append: true }),
  ...more,
})

describe('keys', () => {
  const jwk = async (key: CryptoKey, kid: string, more: object = {}) => ({
    ...(await exportJWK(key)),
    kid,
    ...more,
  })
  const keySet = async () => ({ keys: [await jwk(ec.publicKey, 'ec'), await jwk(rsa.publicKey, 'rsa')] })

  test('may be a secret, for the algorithms that have one', async () => {
    const authorize = authorizeBy({ keys: secret, algorithms: ['HS256'] })
    expect(await authorize(await sign(claims(), secret, { alg: 'HS256' }))).not.toBeNull()
    const other = crypto.getRandomValues(new Uint8Array(32))
    expect(await authorize(await sign(claims(), other, { alg: 'HS256' }))).toBeNull()
  })

  test('may be one key as JSON: a token by another algorithm is refused', async () => {
    const authorize = authorizeBy({ keys: await jwk(ec.publicKey, 'ec'), algorithms: ['ES256', 'RS256'] })
    expect(await authorize(await sign(claims()))).not.toBeNull()
    expect(await authorize(await sign(claims(), rsa.privateKey, { alg: 'RS256' }))).toBeNull()
  })

  test('of a set are found by the name that the token gives, and fit no other', async () => {
    const authorize = authorizeBy({ keys: await keySet(), algorithms: ['ES256', 'RS256'] })
    expect(await authorize(await sign(claims(), ec.privateKey, { kid: 'ec' }))).not.toBeNull()
    expect(await authorize(await sign(claims(), rsa.privateKey, { alg: 'RS256', kid: 'rsa' }))).not.toBeNull()
    for (const kid of ['rsa', 'other', '../ec', '__proto__', '']) {
      expect(await authorize(await sign(claims(), ec.privateKey, { kid }))).toBeNull()
    }
    // The name is right, and the key that signed is another.
    expect(await authorize(await sign(claims(), otherEc.privateKey, { kid: 'ec' }))).toBeNull()
  })

  test('of a set that say what they are for do nothing else', async () => {
    const keys = { keys: [await jwk(ec.publicKey, 'ec', { use: 'enc' })] }
    expect(await authorizeBy({ keys })(await sign(claims(), ec.privateKey, { kid: 'ec' }))).toBeNull()
  })

  test('a token that names none of two that fit is refused', async () => {
    const keys = { keys: [await jwk(ec.publicKey, 'one'), await jwk(otherEc.publicKey, 'two')] }
    const authorize = authorizeBy({ keys })
    expect(await authorize(await sign(claims()))).toBeNull()
    expect(await authorize(await sign(claims(), ec.privateKey, { kid: 'one' }))).not.toBeNull()
  })

  test('are fetched from where the issuer shows them, and again for a name that is not known', async () => {
    let shown = { keys: [await jwk(ec.publicKey, 'old')] }
    const fetch = vi.fn(async () => Response.json(shown))
    const authorize = authorizeBy({ keys: new URL('https://issuer.example/jwks'), fetch })
    const [old, fresh] = [
      await sign(claims({ exp: NOW + 1000 }), ec.privateKey, { kid: 'old' }),
      await sign(claims({ exp: NOW + 1000 }), otherEc.privateKey, { kid: 'new' }),
    ]
    for (let i = 0; i < 5; i++) expect(await authorize(old)).not.toBeNull()
    shown = { keys: [await jwk(otherEc.publicKey, 'new')] }
    // Names that nobody knows must not make the server a nuisance to the issuer.
    for (let i = 0; i < 5; i++) expect(await authorize(fresh)).toBeNull()
    expect(fetch).toHaveBeenCalledTimes(1)
    vi.setSystemTime((NOW + 31) * 1000)
    expect(await authorize(fresh)).not.toBeNull()
    expect(await authorize(old)).toBeNull()
    expect(fetch).toHaveBeenCalledTimes(2)
  })

  test.each<[string, () => Promise<Response>]>([
    ['cannot be reached', () => Promise.reject(new TypeError('fetch failed'))],
    ['answers with an error', async () => new Response('no', { status: 500 })],
    ['answers with a page', async () => new Response('<html>')],
    ['answers with no keys', async () => Response.json({ error: 'x' })],
    ['sends elsewhere', async () => Response.redirect('https://evil.example')],
  ])('an issuer that %s makes no token invalid: it cannot be known', async (_case, fetch) => {
    const authorize = authorizeBy({ keys: new URL('https://issuer.example/jwks'), fetch })
    await expect(authorize(await sign(claims()))).rejects.toThrow(Unavailable)
  })

  test('are not fetched where anybody on the way could change them', () => {
    expect(() => jwtAuthorize(options({ keys: new URL('http://issuer.example/jwks') }))).toThrow(TypeError)
    jwtAuthorize(options({ keys: new URL('http://localhost:8080/jwks') }))
  })

  test.each<[string, Partial<JwtAuthorizeOptions>]>([
    ['no algorithm', { algorithms: [] }],
    ['none', { algorithms: ['none' as never] }],
    ['an algorithm that is not known', { algorithms: ['ES256', 'XX256' as never] }],
    ['a public key for a secret', { algorithms: ['ES256', 'HS256'] }],
    ['a secret for a public key', { keys: secret, algorithms: ['HS256', 'RS256'] }],
    ['a secret that is too short', { keys: new Uint8Array(16), algorithms: ['HS256'] }],
    ['a secret that is too short for one of them', { keys: secret, algorithms: ['HS256', 'HS512'] }],
    ['a key of another algorithm', { algorithms: ['ES384'] }],
    ['an RSA key of another hash', { keys: rsa.publicKey, algorithms: ['RS512'] }],
  ])('are not taken with %s', (_case, more) => {
    expect(() => jwtAuthorize(options(more))).toThrow(TypeError)
  })
})
