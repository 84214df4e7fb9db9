// The SIMD module in a browser, against its own WebCrypto.

import { expect, test } from 'vitest'
import { HASH_BYTES } from '../../src/log/hash-provider.ts'
import { createSimdSha256 } from '../../src/log/sha256/simd-sha256.ts'

const LENGTHS = [250, 0, 55, 56, 64, 119, 120, 400, 150, 131_072, 131_073, 300_000, 33, 250]

const sha256Of = async (bytes: Uint8Array<ArrayBuffer>) =>
  new Uint8Array(await crypto.subtle.digest('SHA-256', bytes))

function noise(length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 197 + length) ^ (i >> 5))
}

test('hashes one input and many independent ones', async () => {
  const sha256 = await createSimdSha256()
  const bytes = noise(LENGTHS.reduce((sum, length) => sum + length))
  let end = 0
  const ends = Uint32Array.from(LENGTHS, length => (end += length))
  const digests = sha256.digestMany(bytes, ends)
  for (const [i, length] of LENGTHS.entries()) {
    const input = bytes.slice(ends[i]! - length, ends[i])
    const expected = await sha256Of(input)
    expect(digests.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES), `${length} bytes among others`).toEqual(
      expected,
    )
    expect(sha256.digest(input), `${length} bytes`).toEqual(expected)
  }
})

test('hashes a chain of inputs', async () => {
  const sha256 = await createSimdSha256()
  const count = 2_500
  const length = 140
  const bytes = noise(count * length)
  const expected = bytes.slice()
  const ends = Uint32Array.from({ length: count }, (_, i) => (i + 1) * length)
  const sources = Int32Array.from({ length: count }, (_, i) => i - 1)
  const holes = Uint32Array.from({ length: count }, (_, i) => i * length + 6)
  const digests = sha256.digestLinked(bytes, ends, { sources, holes })
  for (let i = 0; i < count; i++) {
    const digest = await sha256Of(expected.slice(i * length, (i + 1) * length))
    if (i + 1 < count) expected.set(digest, holes[i + 1])
    if (i % 500 === 499)
      expect(digests.slice(i * HASH_BYTES, (i + 1) * HASH_BYTES), `input ${i}`).toEqual(digest)
  }
})
