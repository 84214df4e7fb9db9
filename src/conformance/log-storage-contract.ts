// What every storage provider has to show. A provider author runs this suite against his own.

import { describe, expect, test } from 'vitest'
import type { StoredBlock } from '../log/block.ts'
import { equalBytes, hexOf, utf8 } from '../log/bytes.ts'
import type { LogStorage, ReplaceOutcome } from '../storage/log-storage.ts'
import { stagedKey } from '../storage/staged-block.ts'
import { decodeBlocks, entriesOf } from './block-contents.ts'
import { fixtureBlock } from './block-fixtures.ts'

/** A fresh, empty log. Each handle that `open` gives is open, and stands on the same log. */
export type StorageUnderTest = Readonly<{
  open: () => Promise<LogStorage>
  dispose: () => Promise<void>
}>

/** Runs the suite on fresh logs that `openFresh` gives, one a test. */
export function describeLogStorage(name: string, openFresh: () => Promise<StorageUnderTest>): void {
  const behaviour = (
    title: string,
    run: (storage: LogStorage, open: () => Promise<LogStorage>) => Promise<void>,
  ): void => {
    test(title, async () => {
      const under = await openFresh()
      try {
        await run(await under.open(), under.open)
      } finally {
        await under.dispose()
      }
    })
  }

  describe(`${name}: appending`, () => {
    behaviour('an empty log ends at 0 and holds nothing', async storage => {
      expect(await storage.head()).toBe(0)
      expect(await storage.read({ from: 1 })).toEqual([])
      expect(await storage.get('key')).toBeUndefined()
      expect(await storage.list('')).toEqual([])
    })

    behaviour('writes blocks and values behind the head', async storage => {
      const [one, two] = [await fixtureBlock({ count: 3 }), await fixtureBlock({ first: 4 })]
      expect(await storage.append(0, [one], { key: utf8('value') })).toEqual({ type: 'written' })
      expect(await storage.append(3, [two])).toEqual({ type: 'written' })
      expect(await storage.head()).toBe(4)
      expect(entriesOf(await storage.read({ from: 1 }))).toEqual(entriesOf([one, two]))
      expect(await storage.get('key')).toEqual(utf8('value'))
    })

    behaviour(
      'refuses to write behind anything but the head, and then writes neither blocks nor values',
      async storage => {
        await storage.append(0, [await fixtureBlock({ count: 2 })])
        for (const [after, first] of [
          [0, 1],
          [1, 2],
          [3, 4],
        ] as const) {
          const outcome = await storage.append(after, [await fixtureBlock({ first })], { key: utf8('no') })
          expect(outcome).toEqual({ type: 'conflict', head: 2 })
        }
        expect(await storage.head()).toBe(2)
        expect(await storage.get('key')).toBeUndefined()
      },
    )

    behaviour('of appends at one head at once, exactly one is written', async storage => {
      const blocks = await Promise.all([1, 2, 3, 4, 5].map(() => fixtureBlock()))
      const outcomes = await Promise.all(blocks.map(block => storage.append(0, [block])))
      expect(outcomes.filter(({ type }) => type === 'written')).toHaveLength(1)
      const winner = blocks[outcomes.findIndex(({ type }) => type === 'written')]!
      expect(entriesOf(await storage.read({ from: 1 }))).toEqual(entriesOf([winner]))
    })

    behaviour('writes several blocks of one append together', async storage => {
      const blocks = [
        await fixtureBlock({ count: 2 }),
        await fixtureBlock({ first: 3, count: 2 }),
        await fixtureBlock({ first: 5 }),
      ]
      await storage.append(0, blocks)
      expect(await storage.head()).toBe(5)
      expect(await storage.append(2, [await fixtureBlock({ first: 3 })])).toEqual({
        type: 'conflict',
        head: 5,
      })
      expect(entriesOf(await storage.read({ from: 1 }))).toEqual(entriesOf(blocks))
    })

    behaviour('deletes values together with the append, and not on a conflict', async storage => {
      await storage.put({ kept: utf8('1'), gone: utf8('2') })
      expect(await storage.append(7, [await fixtureBlock({ first: 8 })], { kept: null })).toMatchObject({
        type: 'conflict',
      })
      await storage.append(0, [await fixtureBlock()], { gone: null })
      expect((await storage.list('')).map(([key]) => key)).toEqual(['kept'])
    })

    behaviour('an append that throws has written neither blocks nor values', async storage => {
      const detached = utf8('sent away')
      structuredClone(detached.buffer, { transfer: [detached.buffer] })
      const block = await fixtureBlock()
      await expect(storage.append(0, [block], { good: utf8('good'), detached })).rejects.toThrow()
      await expect(storage.append(0, [{ ...block, bytes: detached }])).rejects.toThrow()
      expect(await storage.head()).toBe(0)
      expect(await storage.list('')).toEqual([])
      expect(await storage.append(0, [block])).toEqual({ type: 'written' })
    })

    behaviour('keeps an event of a mebibyte', async storage => {
      const large = await fixtureBlock({ size: 1024 * 1024 - 100 })
      await storage.append(0, [large])
      expect(entriesOf(await storage.read({ from: 1 }))).toEqual(entriesOf([large]))
    })

    behaviour('bytes changed outside never change the log', async storage => {
      const block = await fixtureBlock()
      const value = utf8('value')
      const expected = entriesOf([block])
      const given = { ...block, bytes: block.bytes.slice() }
      await storage.append(0, [given], { key: value })
      given.bytes.fill(0)
      value.fill(0)
      for (const { bytes } of await storage.read({ from: 1 })) bytes.fill(0)
      ;(await storage.get('key'))!.fill(0)
      expect(entriesOf(await storage.read({ from: 1 }))).toEqual(expected)
      expect(await storage.get('key')).toEqual(utf8('value'))
    })

    behaviour('stores the block and not the buffer it is a view of', async storage => {
      const block = await fixtureBlock()
      const buffer = new Uint8Array(block.bytes.length + 100)
      buffer.set(block.bytes, 50)
      await storage.append(0, [{ ...block, bytes: buffer.subarray(50, 50 + block.bytes.length) }])
      const [read] = await storage.read({ from: 1 })
      expect(read!.bytes.length).toBe(read!.bytes.buffer.byteLength)
    })
  })

  describe(`${name}: reading`, () => {
    const filled = (storage: LogStorage): Promise<void> => appendBlocks(storage, [3, 1, 4, 2], 500)
    const positions = (blocks: readonly StoredBlock[]): number[] =>
      blocks.flatMap(({ firstPosition, lastPosition }) =>
        Array.from({ length: lastPosition - firstPosition + 1 }, (_, i) => firstPosition + i),
      )

    behaviour(
      'gives the block that holds `from`, and all that follow, in order and without a gap',
      async storage => {
        await filled(storage)
        for (let from = 1; from <= 10; from++) {
          const read = positions(await storage.read({ from }))
          expect(read[0]).toBeLessThanOrEqual(from)
          expect(read).toEqual(Array.from({ length: 11 - read[0]! }, (_, i) => read[0]! + i))
        }
        expect(await storage.read({ from: 11 })).toEqual([])
      },
    )

    behaviour('gives no block that starts behind `to`', async storage => {
      await filled(storage)
      for (let to = 1; to <= 10; to++) {
        const blocks = await storage.read({ from: 1, to })
        expect(blocks.at(-1)!.firstPosition).toBeLessThanOrEqual(to)
        expect(blocks.at(-1)!.lastPosition).toBeGreaterThanOrEqual(to)
      }
    })

    behaviour('stops behind `maxBytes`, but gives the first block in any case', async storage => {
      await filled(storage)
      const all = positions(await storage.read({ from: 1 }))
      const first = await storage.read({ from: 1, maxBytes: 1 })
      expect(first).toHaveLength(1)
      const read = first
      while (read.at(-1)!.lastPosition < 10) {
        read.push(...(await storage.read({ from: read.at(-1)!.lastPosition + 1, maxBytes: 1000 })))
      }
      expect(positions(read)).toEqual(all)
    })

    behaviour('reads a log of many blocks whole', async storage => {
      for (let head = 0; head < 100; head++)
        await storage.append(head, [await fixtureBlock({ first: head + 1 })])
      expect(positions(await storage.read({ from: 1 }))).toEqual(Array.from({ length: 100 }, (_, i) => i + 1))
    })
  })

  describe(`${name}: replacing blocks, where it keeps blocks`, () => {
    /** Blocks of these counts, one behind the other, and what `replace` does there. */
    const replacing = (
      title: string,
      run: (storage: LogStorage, replace: Replace, open: () => Promise<LogStorage>) => Promise<void>,
    ): void =>
      behaviour(title, async (storage, open) => {
        if (!storage.replace) return
        await appendBlocks(storage, [1, 2, 3, 4, 2])
        await run(storage, replaceByEnds(storage), open)
      })
    const bounds = async (storage: LogStorage): Promise<number[][]> =>
      (await storage.read({ from: 1 })).map(({ firstPosition, lastPosition }) => [
        firstPosition,
        lastPosition,
      ])
    const unchanged = [
      [1, 1],
      [2, 3],
      [4, 6],
      [7, 10],
      [11, 12],
    ]

    replacing(
      'puts one block in the place of several, and leaves those around it',
      async (storage, replace) => {
        const before = await storage.read({ from: 1 })
        const merged = await fixtureBlock({ first: 2, count: 9 })
        expect(await replace([3, 6, 10], [merged])).toEqual({ type: 'replaced' })
        expect(await storage.head()).toBe(12)
        const expected = entriesOf([before[0]!, merged, before[4]!])
        expect(entriesOf(await storage.read({ from: 1 }))).toEqual(expected)
        for (const from of [2, 5, 10]) {
          expect(entriesOf(await storage.read({ from, to: 10 }))).toEqual(entriesOf([merged]))
        }
      },
    )

    replacing(
      'puts several blocks in the place of several, from the first to the last',
      async (storage, replace) => {
        const merged = [await fixtureBlock({ count: 5 }), await fixtureBlock({ first: 6, count: 7 })]
        expect(await replace([1, 3, 6, 10, 12], merged)).toEqual({ type: 'replaced' })
        expect(await storage.head()).toBe(12)
        expect(entriesOf(await storage.read({ from: 1 }))).toEqual(entriesOf(merged))
      },
    )

    replacing('of the last block leaves the head to appends', async (storage, replace) => {
      await replace([10, 12], [await fixtureBlock({ first: 7, count: 6 })])
      // Keys that were merged away are no free place.
      for (const [after, first] of [
        [6, 7],
        [9, 10],
        [10, 11],
      ] as const) {
        const stale = await fixtureBlock({ first })
        expect(await storage.append(after, [stale], { key: utf8('no') })).toEqual({
          type: 'conflict',
          head: 12,
        })
      }
      expect(await storage.get('key')).toBeUndefined()
      expect(await storage.append(12, [await fixtureBlock({ first: 13 })])).toEqual({ type: 'written' })
      expect((await bounds(storage)).slice(-2)).toEqual([
        [7, 12],
        [13, 13],
      ])
    })

    replacing('refuses when other blocks stand there than were read', async (storage, replace) => {
      for (const [ends, first, last] of [
        // One is not named, one does not stand there, one stands behind the end of the log.
        [[3, 10], 2, 10],
        [[3, 5, 6], 2, 6],
        [[12, 13], 11, 13],
        // The first one begins before.
        [[3, 6], 3, 6],
        [[10], 8, 10],
      ] as const) {
        const merged = await fixtureBlock({ first, count: last - first + 1 })
        expect(await replace(ends, [merged])).toEqual({ type: 'conflict' })
      }
      expect(await bounds(storage)).toEqual(unchanged)
    })

    replacing('refuses when a block has other bytes than were read', async storage => {
      const before = await storage.read({ from: 4, to: 10 })
      const erased = await fixtureBlock({ first: 4, count: 3 })
      expect(await storage.replace!([before[0]!], [erased])).toEqual({ type: 'replaced' })
      const merged = await fixtureBlock({ first: 4, count: 7 })
      expect(await storage.replace!(before, [merged])).toEqual({ type: 'conflict' })
      expect(entriesOf(await storage.read({ from: 4, to: 6 }))).toEqual(entriesOf([erased]))
    })

    replacing('refuses when blocks were merged across its bounds meanwhile', async (storage, replace) => {
      await replace([3, 6], [await fixtureBlock({ first: 2, count: 5 })])
      const late = await fixtureBlock({ first: 4, count: 7 })
      expect(await replace([6, 10], [late])).toEqual({ type: 'conflict' })
      const again = await fixtureBlock({ first: 2, count: 9 })
      expect(await replace([3, 6, 10], [again])).toEqual({ type: 'conflict' })
      expect(await bounds(storage)).toEqual([
        [1, 1],
        [2, 6],
        [7, 10],
        [11, 12],
      ])
      expect(await replace([6, 10], [again])).toEqual({ type: 'replaced' })
    })

    replacing('throws for blocks that leave a gap or would move the head', async (storage, replace) => {
      const [four, two] = [
        await fixtureBlock({ first: 7, count: 4 }),
        await fixtureBlock({ first: 11, count: 2 }),
      ]
      for (const call of [
        () => replace([], []),
        () => replace([12], []),
        () => replace([10, 12], [four]),
        () => replace([10], [four, two]),
        () => replace([10, 12], [two, four]),
        () => fixtureBlock({ first: 12 }).then(late => replace([10, 12], [four, late])),
        () => fixtureBlock({ first: 11, count: 3 }).then(longer => replace([10, 12], [four, longer])),
      ]) {
        await expect(call()).rejects.toMatchObject({ code: 'invalid-argument' })
      }
      expect(await bounds(storage)).toEqual(unchanged)
    })

    replacing('that throws has changed nothing', async (storage, replace) => {
      const detached = utf8('sent away')
      structuredClone(detached.buffer, { transfer: [detached.buffer] })
      const [good, bad] = [await fixtureBlock({ count: 3 }), await fixtureBlock({ first: 4, count: 3 })]
      await expect(replace([1, 3, 6], [good, { ...bad, bytes: detached }])).rejects.toThrow()
      expect(await bounds(storage)).toEqual(unchanged)
    })

    replacing('of several at once, one is done', async (storage, replace) => {
      const merged = await Promise.all([1, 2, 3, 4].map(() => fixtureBlock({ first: 2, count: 5 })))
      const outcomes = await Promise.all(merged.map(block => replace([3, 6], [block])))
      expect(outcomes.filter(({ type }) => type === 'replaced')).toHaveLength(1)
      const winner = merged[outcomes.findIndex(({ type }) => type === 'replaced')]!
      expect(entriesOf(await storage.read({ from: 2, to: 6 }))).toEqual(entriesOf([winner]))
    })

    replacing('keeps the bytes as they were given', async (storage, replace) => {
      const block = await fixtureBlock({ first: 2, count: 5 })
      const buffer = new Uint8Array(block.bytes.length + 100)
      buffer.set(block.bytes, 50)
      await replace([3, 6], [{ ...block, bytes: buffer.subarray(50, 50 + block.bytes.length) }])
      buffer.fill(0)
      const [read] = await storage.read({ from: 2, to: 6 })
      expect(entriesOf([read!])).toEqual(entriesOf([block]))
      expect(read!.bytes.length).toBe(read!.bytes.buffer.byteLength)
    })

    replacing('loses nothing of those who append meanwhile', async (storage, _replace, open) => {
      const { sharedWriters } = storage.capabilities
      const writers = sharedWriters ? [await open(), await open()] : [storage]
      const merging = async (): Promise<void> => {
        for (let round = 0; round < 20; round++) {
          const standing = await storage.read({ from: 1 })
          const count = standing.at(-1)!.lastPosition
          await storage.replace!(standing, [await fixtureBlock({ count })])
        }
      }
      await Promise.all([merging(), ...writers.map(writer => appendRacing(writer, 20))])
      expect(positionsAndIds(await storage.read({ from: 1 }))).toHaveLength(12 + 20 * writers.length)
    })
  })

  describe(`${name}: overwriting entries, where it keeps entries`, () => {
    behaviour('puts them in the place of those at their positions, and leaves all others', async storage => {
      if (!storage.overwrite) return
      await appendBlocks(storage, [3, 3])
      const before = entriesOf(await storage.read({ from: 1 }))
      const blocks = [await fixtureBlock({ first: 2 }), await fixtureBlock({ first: 5 })]
      await storage.overwrite(blocks)
      const expected = before.with(1, entriesOf([blocks[0]!])[0]!).with(4, entriesOf([blocks[1]!])[0]!)
      expect(entriesOf(await storage.read({ from: 1 }))).toEqual(expected)
      expect(await storage.head()).toBe(6)
    })

    behaviour('is there exactly where blocks cannot be replaced', async storage => {
      expect(storage.overwrite === undefined).toBe(storage.replace !== undefined)
    })
  })

  describe(`${name}: the side table`, () => {
    behaviour('puts, replaces, deletes and lists by prefix in order of key', async storage => {
      await storage.put({
        'b/2': utf8('2'),
        'b/10': utf8('10'),
        a: utf8('a'),
        c: utf8('c'),
        'b/ü🎲': utf8('ü'),
      })
      await storage.put({ 'b/2': utf8('two'), c: null, 'not/there': null })
      expect(
        (await storage.list('b/')).map(([key, value]) => [key, new TextDecoder().decode(value)]),
      ).toEqual([
        ['b/10', '10'],
        ['b/2', 'two'],
        ['b/ü🎲', 'ü'],
      ])
      expect((await storage.list('')).map(([key]) => key)).toEqual(['a', 'b/10', 'b/2', 'b/ü🎲'])
      expect(await storage.get('c')).toBeUndefined()
      expect(await storage.list('b/1000')).toEqual([])
      expect(await storage.keys('b/', 10)).toEqual(['b/10', 'b/2', 'b/ü🎲'])
      expect(await storage.keys('b/', 2)).toEqual(['b/10', 'b/2'])
      expect(await storage.keys('b/1000', 2)).toEqual([])
    })

    behaviour('lists by a prefix that ends in the last UTF-16 unit', async storage => {
      const last = String.fromCharCode(0xffff)
      const value = utf8('value')
      await storage.put({ a: value, [`a${last}`]: value, [`a${last}b`]: value, b: value, [last]: value })
      expect((await storage.list(`a${last}`)).map(([key]) => key)).toEqual([`a${last}`, `a${last}b`])
      expect((await storage.list(last)).map(([key]) => key)).toEqual([last])
    })

    behaviour('goes with the log when it is begun anew', async storage => {
      if (!storage.reset) return
      await storage.append(0, [await fixtureBlock({ count: 5 })], { old: utf8('old'), kept: utf8('old') })
      const [one, two] = [await fixtureBlock({ count: 2 }), await fixtureBlock({ first: 3 })]
      await storage.reset([one, two], { kept: utf8('new') })
      expect(await storage.head()).toBe(3)
      expect(await storage.read({ from: 1 })).toEqual([one, two])
      expect(await storage.list('')).toEqual([['kept', utf8('new')]])
      expect(await storage.append(3, [await fixtureBlock({ first: 4 })])).toEqual({ type: 'written' })
      await storage.reset([], {})
      expect([await storage.head(), await storage.read({ from: 1 }), await storage.list('')]).toEqual([
        0,
        [],
        [],
      ])
    })

    behaviour(
      'gives its staged blocks to a log that is begun anew, however many there are',
      async storage => {
        if (!storage.resetToStaged) return
        await storage.append(0, [await fixtureBlock({ count: 5 })], { old: utf8('old') })
        const blocks: StoredBlock[] = []
        for (let first = 1; first <= 199; first += 2) blocks.push(await fixtureBlock({ first, count: 2 }))
        // In no order: keys have one.
        for (const block of [...blocks.slice(70), ...blocks.slice(0, 70)]) {
          await storage.put({ [stagedKey('staged/', block)]: block.bytes })
        }
        expect(await storage.resetToStaged(4, 'staged/', { new: utf8('no') })).toEqual({
          type: 'conflict',
          head: 5,
        })
        expect(await storage.head()).toBe(5)
        expect(await storage.get('old')).toEqual(utf8('old'))
        expect(await storage.keys('staged/', 1_000)).toHaveLength(100)
        expect(await storage.resetToStaged(5, 'staged/', { new: utf8('new') })).toEqual({ type: 'written' })
        expect(await storage.head()).toBe(200)
        expect(await storage.read({ from: 1 })).toEqual(blocks)
        expect(await storage.list('')).toEqual([['new', utf8('new')]])
      },
    )

    behaviour('begins a log anew with nothing where nothing is staged', async storage => {
      if (!storage.resetToStaged) return
      await storage.append(0, [await fixtureBlock()], { stag: utf8('no block') })
      expect(await storage.resetToStaged(1, 'staged/', {})).toEqual({ type: 'written' })
      expect([await storage.head(), await storage.list('')]).toEqual([0, []])
    })

    behaviour('is swapped only where it is as expected', async storage => {
      const [one, two, empty] = [utf8('one'), utf8('two'), new Uint8Array()]
      expect(await storage.swap('key', one, two)).toBe(false)
      expect(await storage.swap('key', one, null)).toBe(false)
      expect(await storage.swap('key', undefined, null)).toBe(true)
      expect(await storage.get('key')).toBeUndefined()
      expect(await storage.swap('key', undefined, one)).toBe(true)
      for (const other of [undefined, two, empty, utf8('one ')]) {
        expect(await storage.swap('key', other, two)).toBe(false)
        expect(await storage.swap('key', other, null)).toBe(false)
      }
      expect(await storage.get('key')).toEqual(one)
      expect(await storage.swap('key', one, empty)).toBe(true)
      expect(await storage.swap('key', undefined, one)).toBe(false)
      expect(await storage.swap('key', empty, two)).toBe(true)
      expect(await storage.get('key')).toEqual(two)
      expect(await storage.swap('key', two, null)).toBe(true)
      expect(await storage.get('key')).toBeUndefined()
      expect(await storage.head()).toBe(0)
    })

    behaviour('is swapped by one of many that race', async (storage, open) => {
      const others = storage.capabilities.sharedWriters ? [await open(), await open()] : []
      const handles = [storage, ...others]
      let now: Uint8Array | undefined
      for (let round = 0; round < 5; round++) {
        const values = Array.from({ length: 9 }, (_, n) => utf8(`${round}/${n}`))
        const swaps = values.map((value, n) => handles[n % handles.length]!.swap('key', now, value))
        const won = (await Promise.all(swaps)).map((isWon, n) => (isWon ? values[n] : undefined))
        const winners = won.filter(value => value !== undefined)
        expect(winners).toHaveLength(1)
        now = winners[0]
        expect(await storage.get('key')).toEqual(now)
      }
    })

    behaviour('keeps empty and large values', async storage => {
      const large = new Uint8Array(2 * 1024 * 1024).fill(7)
      await storage.put({ empty: new Uint8Array(), large })
      expect(await storage.get('empty')).toEqual(new Uint8Array())
      expect(equalBytes((await storage.get('large'))!, large)).toBe(true)
    })
  })

  describe(`${name}: handles`, () => {
    behaviour('a closed one refuses every call, and closing twice is safe', async storage => {
      await storage.close()
      await storage.close()
      const closed = { code: 'storage-failed', facts: { problem: 'closed' } }
      const block = await fixtureBlock()
      for (const call of [
        () => storage.head(),
        () => storage.append(0, [block]),
        ...(storage.replace ? [() => storage.replace!([block], [block])] : []),
        () => storage.read({ from: 1 }),
        () => storage.get('key'),
        () => storage.list(''),
        () => storage.keys('', 1),
        () => storage.put({}),
        () => storage.swap('key', undefined, null),
      ]) {
        await expect(call()).rejects.toMatchObject(closed)
      }
    })

    behaviour('another one sees what was acknowledged, and loses against it', async (storage, open) => {
      const { durable, sharedWriters } = storage.capabilities
      if (!durable && !sharedWriters) return
      await storage.append(0, [await fixtureBlock({ count: 2 })], { key: utf8('value') })
      if (!sharedWriters) await storage.close()
      const other = await open()
      expect(await other.head()).toBe(2)
      expect(await other.get('key')).toEqual(utf8('value'))
      expect(await other.append(0, [await fixtureBlock()])).toEqual({ type: 'conflict', head: 2 })
      expect(await other.append(2, [await fixtureBlock({ first: 3 })])).toEqual({ type: 'written' })
      if (sharedWriters)
        expect(await storage.append(2, [await fixtureBlock({ first: 3 })])).toEqual({
          type: 'conflict',
          head: 3,
        })
    })

    behaviour('many that race lose nothing and leave no gap', async (storage, open) => {
      if (!storage.capabilities.sharedWriters) return
      const handles = [storage, await open(), await open()]
      await Promise.all(handles.map(handle => appendRacing(handle, 20)))
      const read = await storage.read({ from: 1 })
      expect(positionsAndIds(read)).toHaveLength(60)
      expect(new Set(positionsAndIds(read).map(([, id]) => id)).size).toBe(60)
    })
  })
}

type Replace = (ends: readonly number[], blocks: readonly StoredBlock[]) => Promise<ReplaceOutcome>

/** Replaces blocks that are named by where they end, as they are now or were when last seen. */
function replaceByEnds(storage: LogStorage): Replace {
  const seen = new Map<number, StoredBlock>()
  return async (ends, blocks) => {
    for (const block of await storage.read({ from: 1 })) seen.set(block.lastPosition, block)
    const before = ends.map(
      end => seen.get(end) ?? { firstPosition: end, lastPosition: end, bytes: new Uint8Array(1) },
    )
    return storage.replace!(before, blocks)
  }
}

/** Fills an empty log with blocks of so many entries. */
async function appendBlocks(storage: LogStorage, counts: readonly number[], size?: number): Promise<void> {
  let head = 0
  for (const count of counts) {
    await storage.append(head, [await fixtureBlock({ first: head + 1, count, ...(size && { size }) })])
    head += count
  }
}

/** Appends blocks one by one, each until it is written. */
async function appendRacing(storage: LogStorage, count: number): Promise<void> {
  let head = await storage.head()
  for (let written = 0; written < count; ) {
    const outcome = await storage.append(head, [await fixtureBlock({ first: head + 1 })])
    if (outcome.type === 'conflict') head = outcome.head
    else {
      head++
      written++
    }
  }
}

function positionsAndIds(blocks: readonly StoredBlock[]): [number, string][] {
  const rows = decodeBlocks(blocks).flatMap(block =>
    Array.from({ length: block.count }, (_, i): [number, string] => [
      block.firstPosition + i,
      hexOf(block.idOf(i)),
    ]),
  )
  for (const [i, [position]] of rows.entries()) expect(position).toBe(i + 1)
  return rows
}
