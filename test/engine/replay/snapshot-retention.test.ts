import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Kept } from '../../../src/engine/replay/snapshot-key.ts'
import { retained } from '../../../src/engine/replay/snapshot-retention.ts'
import { snapshotScheduleOf, versionsInPassing } from '../../../src/engine/replay/snapshot-schedule.ts'

const snapshotAt = (position: number, codeId = 'own', bytes = 100): Kept => ({
  key: `${codeId}/${position}`,
  position,
  version: position,
  amendedAt: 0,
  codeId,
  savedAt: 0,
  bytes,
})
const facts = { isOfUse: ({ codeId }: Kept) => codeId === 'own', confirmedThrough: 0 }
const positionsOf = (kept: Iterable<Kept>) => [...kept].map(({ position }) => position).sort((a, b) => a - b)

describe('what is kept', () => {
  test('of a long history is little, and any event has a snapshot before it that is not many times as far from the end', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 500 }), (count, gap) => {
        let kept: Kept[] = []
        for (let n = 1; n <= count; n++) {
          kept = [...retained([...kept, snapshotAt(n * gap)], {}, facts)].sort(
            (a, b) => a.position - b.position,
          )
        }
        const positions = positionsOf(kept)
        const end = count * gap
        expect(positions.length).toBeLessThanOrEqual(5 + Math.log2(count))
        for (let version = gap; version <= end; version += gap) {
          const before = positions.findLast(position => position <= version) ?? 0
          expect(end - before).toBeLessThanOrEqual(8 * (end - version) + 8 * gap)
        }
      }),
      { numRuns: 60 },
    )
  })

  test('is the newest ones alone where nothing else is wanted', () => {
    const all = [10, 20, 30, 40, 50].map(at => snapshotAt(at))
    expect(positionsOf(retained(all, { latest: 2, spaced: false }, facts))).toEqual([40, 50])
    expect(positionsOf(retained(all, { latest: 0, spaced: false }, facts))).toEqual([50])
  })

  test('is the newest confirmed one in any case', () => {
    const all = [10, 20, 30, 40, 50].map(at => snapshotAt(at))
    const kept = retained(all, { latest: 1, spaced: false }, { ...facts, confirmedThrough: 35 })
    expect(positionsOf(kept)).toEqual([30, 50])
  })

  test('is no more than the bytes allow, but for the newest and the newest confirmed', () => {
    const all = [10, 20, 30, 40, 50].map(at => snapshotAt(at))
    const others = [60, 70].map(at => snapshotAt(at, 'other'))
    const kept = (maxBytes: number) =>
      positionsOf(retained([...all, ...others], { latest: 5, maxBytes }, { ...facts, confirmedThrough: 25 }))
    expect(kept(700)).toEqual([10, 20, 30, 40, 50, 60, 70])
    expect(kept(500)).toEqual([10, 20, 30, 40, 50])
    expect(kept(300)).toEqual([20, 40, 50])
    expect(kept(0)).toEqual([20, 50])
  })

  test('of other code is as much, of the two that reach farthest', () => {
    const codes = ['x', 'y', 'z'].flatMap((code, i) => [1, 2, 3, 4].map(n => snapshotAt(n * 100 + i, code)))
    const all = [...codes, snapshotAt(50)].sort((a, b) => a.position - b.position)
    const kept = retained(all, { latest: 1, spaced: false }, facts)
    expect(positionsOf(kept)).toEqual([50, 401, 402])
  })
})

describe('a snapshot is due', () => {
  const nothing = { events: 1, ms: 0, replayMs: 0 }
  test.each([
    [{}, { events: 999 }, false],
    [{}, { events: 1_000 }, true],
    [{}, { ms: Infinity }, false],
    [{ every: 10 }, { events: 10 }, true],
    [{ everyMs: 500 }, { events: 100_000, ms: 499 }, false],
    [{ everyMs: 500 }, { ms: 500 }, true],
    [{ everyMs: 500 }, { events: 0, ms: 500 }, false],
    [{ replayMs: 5 }, { replayMs: 5 }, true],
    [{ replayMs: 5 }, { replayMs: 4.9 }, false],
    [{ every: 10, replayMs: 5 }, { events: 10 }, true],
    [{ when: ({ events }: { events: number }) => events === 7 }, { events: 7 }, true],
    [{ when: ({ events }: { events: number }) => events === 7 }, { events: 8 }, false],
    ['never' as const, { events: 1e9, ms: Infinity, replayMs: Infinity }, false],
  ])('with %j after %j: %s', (snapshot, since, isDue) => {
    expect(snapshotScheduleOf({ snapshot }).isDue({ ...nothing, ...since })).toBe(isDue)
  })

  test('in passing where it will be kept once the end is reached', () => {
    expect(versionsInPassing(0, 1_000, 100)).toEqual([200, 600, 800])
    expect(versionsInPassing(650, 1_000, 100)).toEqual([800])
    expect(versionsInPassing(0, 100, 100)).toEqual([])
    expect(versionsInPassing(0, 1_000, Infinity)).toEqual([])
    const snapshots = [...versionsInPassing(0, 1_000, 100), 1_000].map(at => snapshotAt(at))
    expect(positionsOf(retained(snapshots, {}, facts))).toEqual([200, 600, 800, 1_000])
  })
})
