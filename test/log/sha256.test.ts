// SHA-256 as the log uses it, by both modules: published vectors, and whatever node:crypto says of random inputs.

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { hexOf, utf8 } from '../../src/log/bytes.ts'
import { type DigestLinks, HASH_BYTES } from '../../src/log/hash-provider.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { createHashWasmSha256 } from '../../src/log/sha256/hash-wasm-sha256.ts'
import { createSimdSha256 } from '../../src/log/sha256/simd-sha256.ts'
import type { SyncDigests } from '../../src/log/sha256/sync-digests.ts'

const VECTORS_DIR = process.env['VECTORS_DIR']

/** FIPS 180-4 and NIST's example values for it. */
const NIST: readonly (readonly [name: string, input: Uint8Array, digest: string])[] = [
  ['nothing', utf8(''), 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  ['abc', utf8('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
  [
    '448 bits',
    utf8('abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq'),
    '248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1',
  ],
  [
    '896 bits',
    utf8(
      'abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu',
    ),
    'cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1',
  ],
  [
    'a million times a',
    new Uint8Array(1_000_000).fill(0x61),
    'cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0',
  ],
]

/** Where padding takes one block more, blocks begin, and windows of the module's memory end. */
const EDGES = [0, 1, 55, 56, 57, 63, 64, 65, 111, 119, 120, 127, 128, 129, 191, 192, 247, 248, 255, 256, 257]
const LARGE = [131_007, 131_071, 131_072, 131_073, 131_136, 262_144, 1 << 20]

describe.each<[string, () => Promise<SyncDigests>]>([
  ['the SIMD module', createSimdSha256],
  ['hash-wasm', createHashWasmSha256],
])('SHA-256 by %s', (_, create) => {
  test.each(NIST)('agrees with NIST: %s', async (_, input, digest) => {
    const sha256 = await create()
    expect(hexOf(sha256.digest(input))).toBe(digest)
    const three = joined([input, input, input])
    expect(hexOf(sha256.digestMany(three.bytes, three.ends))).toBe(digest.repeat(3))
  })

  test.skipIf(!VECTORS_DIR)(
    'builds the Merkle trees of RFC 6962 (left out where VECTORS_DIR is unset)',
    async () => {
      const sha256 = await create()
      const tree = JSON.parse(readFileSync(`${VECTORS_DIR}/rfc6962/tree.json`, 'utf8'))
      const leaves = (tree.leafInputsHex as string[]).map(hex => Buffer.from(hex, 'hex'))
      expect(leaves).toHaveLength(8)
      const roots = Array.from({ length: 9 }, (_, size) => hexOf(rootOf(leaves.slice(0, size), sha256)))
      expect(roots).toEqual(tree.rootHashesHexBySize)
    },
  )

  test('agrees with node:crypto on every length around the edges of blocks and windows', async () => {
    const sha256 = await create()
    for (const length of [...EDGES, ...LARGE]) {
      const input = noise(length)
      expect(hexOf(sha256.digest(input)), `${length} bytes`).toBe(hexOf(expected(input)))
    }
    const inputs = [...EDGES, ...LARGE, ...EDGES].map(noise)
    const { bytes, ends } = joined(inputs)
    expectDigests(sha256.digestMany(bytes, ends), expectedMany(inputs))
  })

  test('agrees with node:crypto on any independent inputs, many or few', async () => {
    const sha256 = await create()
    const inputs = fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 40 })
    fc.assert(
      fc.property(inputs, inputs => {
        const { bytes, ends } = joined(inputs)
        expectDigests(sha256.digestMany(bytes, ends), expectedMany(inputs))
      }),
    )
  })

  test('agrees with a plain loop on inputs that hold earlier digests in any pattern', async () => {
    const sha256 = await create()
    fc.assert(
      fc.property(linkedInputs, inputs => {
        const { bytes, ends, links } = linked(inputs)
        const wanted = plainLoop(bytes.slice(), ends, links)
        expectDigests(sha256.digestLinked(bytes, ends, links), wanted)
      }),
    )
  })

  test.each([
    ['short ones', 6_000, 40],
    ['entries', 3_000, 140],
    ['large ones', 40, 20_000],
    ['larger than memory', 3, 200_000],
  ])('links a chain that is longer than a window: %s', async (_, count, length) => {
    const sha256 = await create()
    const inputs = Array.from({ length: count }, (_, i) => ({
      bytes: noise(length + (i % 7)),
      source: i - 1,
      hole: 6,
    }))
    const { bytes, ends, links } = linked(inputs)
    const wanted = plainLoop(bytes.slice(), ends, links)
    expectDigests(sha256.digestLinked(bytes, ends, links), wanted)
  })

  test('links to inputs far back, in other windows', async () => {
    const sha256 = await create()
    const inputs = Array.from({ length: 5_000 }, (_, i) => ({
      bytes: noise(100),
      source: i % 3 === 0 ? -1 : (i * 7919) % i,
      hole: i % 68,
    }))
    const { bytes, ends, links } = linked(inputs)
    const wanted = plainLoop(bytes.slice(), ends, links)
    expectDigests(sha256.digestLinked(bytes, ends, links), wanted)
  })

  test('hashes thousands of inputs, empty ones among them', async () => {
    const sha256 = await create()
    const inputs = Array.from({ length: 10_000 }, (_, i) => noise((i * 31) % 410))
    const { bytes, ends } = joined(inputs)
    expectDigests(sha256.digestMany(bytes, ends), expectedMany(inputs))
  })

  test('goes on with long inputs where short ones beside them are done', async () => {
    const sha256 = await create()
    for (const lengths of [
      [40, 300, 60_000, 60_000],
      [60_000, 40, 60_000],
      [0, 120_000],
      [90_000, 10_000, 30_000],
    ]) {
      const inputs = lengths.map(noise)
      const { bytes, ends } = joined(inputs)
      expectDigests(sha256.digestMany(bytes, ends), expectedMany(inputs))
    }
  })

  test('takes no input at all', async () => {
    const sha256 = await create()
    const none = { sources: new Int32Array(), holes: new Uint32Array() }
    expect(sha256.digestMany(new Uint8Array(), new Uint32Array())).toEqual(new Uint8Array())
    expect(sha256.digestLinked(new Uint8Array(), new Uint32Array(), none)).toEqual(new Uint8Array())
  })

  test('gives the same whatever was hashed before', async () => {
    const sha256 = await create()
    const { bytes, ends } = joined([noise(250), noise(90)])
    const first = sha256.digestMany(bytes, ends)
    sha256.digest(new Uint8Array(300_000).fill(0xff))
    sha256.digestMany(new Uint8Array(131_072).fill(0xff), Uint32Array.of(131_071, 131_072))
    const chain = linked(Array.from({ length: 9 }, (_, i) => ({ bytes: noise(77), source: i - 1, hole: 40 })))
    sha256.digestLinked(chain.bytes, chain.ends, chain.links)
    expect(sha256.digestMany(bytes, ends)).toEqual(first)
    expect(hexOf(sha256.digest(utf8('')))).toBe(NIST[0]![2])
  })

  test('keeps nothing of a result that it gave', async () => {
    const sha256 = await create()
    const digest = sha256.digest(utf8('abc'))
    const many = sha256.digestMany(utf8('abc'), Uint32Array.of(3))
    sha256.digest(utf8('other'))
    expect([hexOf(digest), hexOf(many)]).toEqual([NIST[1]![2], NIST[1]![2]])
  })

  test.each([
    ['ends before it begins', [40, 39], [-1, -1], [0, 0]],
    ['ends behind the bytes', [40, 101], [-1, -1], [0, 0]],
    ['holds its own digest', [40, 100], [-1, 1], [0, 50]],
    ['holds a later digest', [40, 100], [1, -1], [0, 0]],
    ['holds the digest of nothing', [40, 100], [-1, -2], [0, 50]],
    ['holds a digest before it begins', [40, 100], [-1, 0], [0, 39]],
    ['holds a digest that ends behind it', [40, 100], [-1, 0], [0, 69]],
    ['has no source', [40, 100], [-1], [0, 0]],
    ['has no hole', [40, 100], [-1, 0], [0]],
  ])('refuses an input that %s, and hashes on', async (_, ends, sources, holes) => {
    const sha256 = await create()
    const links = { sources: Int32Array.from(sources), holes: Uint32Array.from(holes) }
    expect(() => sha256.digestLinked(new Uint8Array(100), Uint32Array.from(ends), links)).toThrow(RangeError)
    expect(hexOf(sha256.digest(utf8('abc')))).toBe(NIST[1]![2])
  })
})

describe('the provider', () => {
  afterEach(() => {
    vi.restoreAllMocks()
    vi.unstubAllGlobals()
    vi.resetModules()
  })

  const freshCreate = async () =>
    (await import('../../src/log/sha256/create-sha256.ts')).createSha256 as typeof createSha256

  test('hashes blocks by WebCrypto', async () => {
    const subtle = vi.spyOn(crypto.subtle, 'digest')
    const block = noise(57_000)
    expect(await (await createSha256()).digestLarge(block)).toEqual(expected(block))
    expect(subtle).toHaveBeenCalledOnce()
  })

  test('hashes blocks itself where WebCrypto is missing', async () => {
    vi.stubGlobal('crypto', {})
    const block = noise(57_000)
    expect(await (await createSha256()).digestLarge(block)).toEqual(expected(block))
  })

  test('takes hash-wasm where the SIMD module does not compile', async () => {
    vi.spyOn(WebAssembly, 'compile').mockRejectedValueOnce(new WebAssembly.CompileError('no SIMD'))
    vi.resetModules()
    const sha256 = await (await freshCreate())()
    const { bytes, ends } = joined([noise(250), noise(90)])
    expectDigests(sha256.digestMany(bytes, ends), expectedMany([noise(250), noise(90)]))
  })

  test('fails as the platform does where no WebAssembly may run', async () => {
    const forbidden = new WebAssembly.CompileError('forbidden')
    vi.spyOn(WebAssembly, 'compile').mockRejectedValue(forbidden)
    vi.spyOn(WebAssembly, 'instantiate').mockRejectedValue(forbidden)
    vi.resetModules()
    await expect((await freshCreate())()).rejects.toThrow('forbidden')
  })
})

type Linked = Readonly<{ bytes: Uint8Array; source: number; hole: number }>

/** Inputs that are linked to none or to any earlier one, so that chains, trees and forests come up. */
const linkedInputs: fc.Arbitrary<Linked[]> = fc
  .array(
    fc.record({
      bytes: fc.uint8Array({ minLength: 32, maxLength: 300 }),
      source: fc.nat(),
      hole: fc.nat(),
      isFirst: fc.boolean(),
    }),
    { maxLength: 40 },
  )
  .map(inputs =>
    inputs.map(({ bytes, source, hole, isFirst }, i) => ({
      bytes,
      source: isFirst || i === 0 ? -1 : source % i,
      hole: hole % (bytes.length - HASH_BYTES + 1),
    })),
  )

function joined(inputs: readonly Uint8Array[]): { bytes: Uint8Array; ends: Uint32Array } {
  let end = 0
  const ends = Uint32Array.from(inputs, input => (end += input.length))
  return { bytes: new Uint8Array(Buffer.concat(inputs)), ends }
}

function linked(inputs: readonly Linked[]) {
  const { bytes, ends } = joined(inputs.map(({ bytes }) => bytes))
  const sources = Int32Array.from(inputs, ({ source }) => source)
  const holes = Uint32Array.from(inputs, ({ hole }, i) => (i === 0 ? 0 : ends[i - 1]!) + hole)
  return { bytes, ends, links: { sources, holes } }
}

/** Says which digest is the first wrong one: a diff of all bytes takes minutes to print. */
function expectDigests(digests: Uint8Array, wanted: Uint8Array): void {
  expect(digests).toHaveLength(wanted.length)
  const wrong = digests.findIndex((byte, i) => byte !== wanted[i])
  expect(wrong < 0 ? 'none' : `digest ${Math.floor(wrong / HASH_BYTES)}`, 'the first wrong one').toBe('none')
}

function plainLoop(bytes: Uint8Array, ends: Uint32Array, { sources, holes }: DigestLinks): Uint8Array {
  const digests = new Uint8Array(ends.length * HASH_BYTES)
  for (let i = 0; i < ends.length; i++) {
    const source = sources[i]! * HASH_BYTES
    if (source >= 0) bytes.set(digests.subarray(source, source + HASH_BYTES), holes[i])
    digests.set(expected(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i])), i * HASH_BYTES)
  }
  return digests
}

/** RFC 6962, section 2.1: the left subtree is the largest full one that leaves something for the right. */
function rootOf(leaves: readonly Uint8Array[], sha256: SyncDigests): Uint8Array {
  if (leaves.length === 0) return sha256.digest(new Uint8Array())
  if (leaves.length === 1) return sha256.digest(Uint8Array.of(0, ...leaves[0]!))
  const left = 2 ** Math.ceil(Math.log2(leaves.length) - 1)
  const halves = [rootOf(leaves.slice(0, left), sha256), rootOf(leaves.slice(left), sha256)]
  return sha256.digest(Uint8Array.of(1, ...halves[0]!, ...halves[1]!))
}

/** Bytes that differ between lengths and places, the same on each run. */
function noise(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let state = length + 1
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[i] = state >>> 24
  }
  return bytes
}

function expected(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(bytes).digest())
}

function expectedMany(inputs: readonly Uint8Array[]): Uint8Array {
  return new Uint8Array(Buffer.concat(inputs.map(expected)))
}
