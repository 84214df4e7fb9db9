import fc from 'fast-check'
import { expect, test } from 'vitest'
import { READ_BYTES, readAhead } from '../../src/engine/read-ahead.ts'
import type { ReadRange } from '../../src/storage/log-storage.ts'

type Made = Readonly<{ firstPosition: number; lastPosition: number; bytes: number }>

/** Blocks of so many entries and bytes each. */
function blocksOf(sizes: readonly (readonly [entries: number, bytes: number])[]): Made[] {
  let next = 1
  return sizes.map(([entries, bytes]) => {
    const block = { firstPosition: next, lastPosition: next + entries - 1, bytes }
    next += entries
    return block
  })
}

/** As a storage reads: from the block that holds `from`, stopped behind the one that passes `maxBytes`. */
const readerOf = (blocks: readonly Made[], asked: ReadRange[]) => async (range: ReadRange) => {
  asked.push(range)
  const { from, to = Infinity, maxBytes = Infinity } = range
  const read: Made[] = []
  let bytes = 0
  for (const block of blocks) {
    if (block.lastPosition < from) continue
    if (block.firstPosition > to || bytes >= maxBytes) break
    read.push(block)
    bytes += block.bytes
  }
  return read
}

async function all(reading: AsyncIterable<readonly Made[]>): Promise<Made[]> {
  const read: Made[] = []
  for await (const part of reading) read.push(...part)
  return read
}

const entries = fc.integer({ min: 1, max: 400 })
const bytes = fc.oneof(fc.integer({ min: 100, max: 57_344 }), fc.integer({ min: 57_344, max: 3_000_000 }))

test('gives every block of the part that is asked for once, in order, whatever their sizes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(entries, bytes), { minLength: 1, maxLength: 120 }),
      fc.nat(),
      fc.nat(),
      async (sizes, a, b) => {
        const blocks = blocksOf(sizes)
        const last = blocks.at(-1)!.lastPosition
        const [from, to] = [1 + (a % last), 1 + (b % last)].sort((x, y) => x - y) as [number, number]
        const expected = blocks.filter(one => one.lastPosition >= from && one.firstPosition <= to)
        expect(await all(readAhead(readerOf(blocks, []), from, to))).toEqual(expected)
      },
    ),
  )
})

test('a long log is read in large parts, several at once, and little of it twice', async () => {
  const asked: ReadRange[] = []
  const blocks = blocksOf(Array.from({ length: 1_000 }, () => [190, 57_000] as const))
  const waiting: (() => void)[] = []
  const read = readerOf(blocks, asked)
  const reading = all(
    readAhead(
      async range => {
        await new Promise<void>(resolve => waiting.push(resolve))
        return read(range)
      },
      1,
      190_000,
    ),
  )
  let mostAtOnce = 0
  while (asked.length < 2 || waiting.length > 0) {
    await new Promise(resolve => setTimeout(resolve))
    mostAtOnce = Math.max(mostAtOnce, waiting.length)
    waiting.shift()?.()
  }
  expect(await reading).toEqual(blocks)
  expect(mostAtOnce).toBe(4)
  expect(asked.length).toBeLessThan((1_000 * 57_000 * 1.2) / READ_BYTES)
})

test('ends with an empty part where blocks are missing', async () => {
  const blocks = blocksOf([
    [10, 100],
    [10, 100],
    [10, 100],
  ]).filter(({ firstPosition }) => firstPosition !== 21)
  const parts: (readonly Made[])[] = []
  for await (const part of readAhead(readerOf(blocks, []), 1, 30)) parts.push(part)
  expect(parts).toEqual([blocks, []])
})
