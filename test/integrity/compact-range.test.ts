import { expect, test } from 'vitest'
import { CompactRange } from '../../src/integrity/compact-range.ts'
import { perfectRanges } from '../../src/integrity/merkle-tree.ts'
import { utf8 } from '../../src/log/bytes.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'

const hash = await createSha256()
const leaf = (n: number) => hash.digest(utf8(`${n}`))

function treeOf(start: number, end: number): CompactRange {
  const tree = new CompactRange(hash)
  for (let n = start; n < end; n++) tree.add(leaf(n))
  return tree
}

test('the perfect subtrees of a range are beside each other, and as few as can be', () => {
  expect(perfectRanges([0, 7])).toEqual([
    [0, 4],
    [4, 6],
    [6, 7],
  ])
  expect(perfectRanges([3, 12])).toEqual([
    [3, 4],
    [4, 8],
    [8, 12],
  ])
  expect(perfectRanges([5, 5])).toEqual([])
})

test('a tree of which a stretch is known by its subtrees alone has the root of the whole', () => {
  for (let size = 1; size <= 40; size++) {
    const root = treeOf(0, size).root()
    for (let start = 0; start < size; start++) {
      for (const end of [start + 1, Math.min(size, start + 7), size]) {
        const tree = treeOf(0, start)
        for (const [from, to] of perfectRanges([start, end])) {
          tree.addSubtree(treeOf(from, to).root(), to - from)
        }
        for (let n = end; n < size; n++) tree.add(leaf(n))
        expect(tree.size).toBe(size)
        expect(tree.root()).toEqual(root)
      }
    }
  }
})

test.each([
  [1, 2],
  [2, 4],
  [0, 3],
])('behind %i leaves no subtree of %i leaves is added', (size, leaves) => {
  expect(() => treeOf(0, size).addSubtree(leaf(0), leaves)).toThrow(RangeError)
})
