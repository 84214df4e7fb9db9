import { readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isConsistent, isIncluded } from '../../src/integrity/merkle-proof.ts'
import {
  consistencyRanges,
  halvesOf,
  inclusionRanges,
  type LeafRange,
  NodeHasher,
} from '../../src/integrity/merkle-tree.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'

const VECTORS_DIR = process.env['VECTORS_DIR']
const hash = await createSha256()
const hasher = new NodeHasher(hash)

/** The root over leaves, as RFC 6962 section 2.1 defines it. */
function rootOf(leaves: readonly Uint8Array[], [start, end]: LeafRange = [0, leaves.length]): Uint8Array {
  if (end === start) return hasher.emptyRoot()
  if (end - start === 1) return leaves[start]!
  const [left, right] = halvesOf([start, end])
  return hasher.node(rootOf(leaves, left), rootOf(leaves, right))
}

const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, i) => hash.digest(Uint8Array.of(0, i & 0xff, i >> 8)))

const proofOf = (leaves: readonly Uint8Array[], ranges: readonly LeafRange[]): Uint8Array[] =>
  ranges.map(range => rootOf(leaves, range))

describe.skipIf(!VECTORS_DIR)('published vectors (left out where VECTORS_DIR is unset)', () => {
  const folder = `${VECTORS_DIR}/rfc6962/testdata`

  test('inclusion: what is good is taken, what is forged is not', () => {
    const cases = casesIn<InclusionCase>(`${folder}/inclusion`)
    expect(cases.length).toBe(98)
    for (const { desc, leafIdx, treeSize, root, leafHash, proof, wantErr } of cases) {
      const claim = {
        leafHash: bytesOf(leafHash),
        leafIndex: leafIdx,
        treeSize,
        root: bytesOf(root),
        proof: (proof ?? []).map(bytesOf),
      }
      expect(isIncluded(claim, hasher), desc).toBe(!wantErr)
    }
  })

  test('consistency: what is good is taken, what is forged is not', () => {
    const cases = casesIn<ConsistencyCase>(`${folder}/consistency`)
    expect(cases.length).toBe(98)
    for (const { desc, size1, size2, root1, root2, proof, wantErr } of cases) {
      const claim = {
        size1,
        size2,
        root1: bytesOf(root1),
        root2: bytesOf(root2),
        proof: (proof ?? []).map(bytesOf),
      }
      expect(isConsistent(claim, hasher), desc).toBe(!wantErr)
    }
  })
})

test('every leaf of every tree up to 40 leaves is proved, and nothing else by the same proof', () => {
  for (let treeSize = 1; treeSize <= 40; treeSize++) {
    const leaves = leavesOf(treeSize)
    const root = rootOf(leaves)
    for (let leafIndex = 0; leafIndex < treeSize; leafIndex++) {
      const proof = proofOf(leaves, inclusionRanges(leafIndex, treeSize))
      const claim = { leafHash: leaves[leafIndex]!, leafIndex, treeSize, root, proof }
      expect(isIncluded(claim, hasher)).toBe(true)
      expect(isIncluded({ ...claim, leafIndex: leafIndex + 1 }, hasher)).toBe(false)
      expect(isIncluded({ ...claim, leafHash: root }, hasher)).toBe(treeSize === 1)
      expect(isIncluded({ ...claim, proof: [...proof, root] }, hasher)).toBe(false)
    }
  }
})

test('every tree is proved to begin with every smaller one, and not with another', () => {
  const leaves = leavesOf(40)
  const forged = leaves.with(3, leaves[4]!)
  for (let size2 = 1; size2 <= 40; size2++) {
    for (let size1 = 1; size1 <= size2; size1++) {
      const proof = proofOf(leaves, consistencyRanges(size1, size2))
      const [root1, root2] = [rootOf(leaves, [0, size1]), rootOf(leaves, [0, size2])]
      const claim = { size1, root1, size2, root2, proof }
      expect(isConsistent(claim, hasher)).toBe(true)
      expect(isConsistent({ ...claim, root1: rootOf(forged, [0, size1]) }, hasher)).toBe(size1 <= 3)
      expect(isConsistent({ ...claim, root2: rootOf(forged, [0, size2]) }, hasher)).toBe(size2 <= 3)
    }
  }
})

test('a proof with one bit changed proves nothing', () => {
  const leaves = leavesOf(300)
  const root = rootOf(leaves)
  fc.assert(
    fc.property(fc.nat(299), fc.nat(), fc.nat(7), (leafIndex, at, bit) => {
      const proof = proofOf(leaves, inclusionRanges(leafIndex, 300)).map(one => one.slice())
      const claim = { leafHash: leaves[leafIndex]!, leafIndex, treeSize: 300, root, proof }
      expect(isIncluded(claim, hasher)).toBe(true)
      const [node, byte] = [Math.floor(at / 32) % proof.length, at % 32]
      proof[node]![byte]! ^= 1 << bit
      expect(isIncluded(claim, hasher)).toBe(false)
    }),
  )
})

test('sizes that are no sizes, and hashes that are no hashes, are refused and not computed with', () => {
  const leaf = leavesOf(1)[0]!
  const good = { leafHash: leaf, leafIndex: 0, treeSize: 1, root: leaf, proof: [] }
  expect(isIncluded(good, hasher)).toBe(true)
  for (const sizes of [
    { treeSize: 0 },
    { treeSize: Number.NaN },
    { treeSize: 1.5 },
    { leafIndex: -1 },
    { treeSize: 2 ** 60 },
  ]) {
    expect(isIncluded({ ...good, ...sizes }, hasher)).toBe(false)
  }
  const short = leaf.subarray(0, 31)
  expect(isIncluded({ ...good, leafHash: short, root: short }, hasher)).toBe(false)
})

type InclusionCase = Readonly<{
  desc: string
  leafIdx: number
  treeSize: number
  root: string
  leafHash: string
  proof: string[] | null
  wantErr: boolean
}>

type ConsistencyCase = Readonly<{
  desc: string
  size1: number
  size2: number
  root1: string
  root2: string
  proof: string[] | null
  wantErr: boolean
}>

function casesIn<T>(folder: string): T[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter(name => name.endsWith('.json'))
    .map(name => JSON.parse(readFileSync(`${folder}/${name}`, 'utf8')) as T)
}

const bytesOf = (base64: string): Uint8Array => new Uint8Array(Buffer.from(base64 ?? '', 'base64'))
