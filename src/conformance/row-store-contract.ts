// What every database of rows has to show that read models are written to.

import { describe, expect, test } from 'vitest'
import type { AnyReadModel, RowKey } from '../model/read-model.ts'
import {
  RowChangeFailed,
  type RowOperation,
  type RowProgress,
  type RowSide,
  type RowStep,
  type RowStore,
} from '../model/row-store.ts'

/** A fresh database, without rows. All stores that `create` gives are on it, and not open yet. */
export type RowsUnderTest = Readonly<{
  create: () => RowStore
  /** The rows of a table that are shown, in the order of their keys. */
  shown: (table: string) => Promise<unknown[]>
  dispose: () => Promise<void>
}>

type Book = Readonly<{ isbn: string; author: string; words?: readonly string[]; copies?: number }>

const model = (tables: Record<string, string>): AnyReadModel => ({ tables, canHandle: [], evolve: {} })

const MODELS: Readonly<Record<string, AnyReadModel>> = {
  library: model({ books: 'isbn, author, *words', loans: '[reader+isbn], reader' }),
  tally: model({ totals: 'name' }),
}

/** Runs the suite on fresh databases for these read models, one a test. */
export function describeRowStore(
  name: string,
  openFresh: (models: Readonly<Record<string, AnyReadModel>>) => Promise<RowsUnderTest>,
): void {
  const behaviour = (
    title: string,
    run: (store: RowStore, under: RowsUnderTest, another: () => Promise<RowStore>) => Promise<void>,
  ): void => {
    test(title, async () => {
      const under = await openFresh(MODELS)
      const opened: RowStore[] = []
      const another = async (): Promise<RowStore> => {
        const store = under.create()
        await store.open(MODELS)
        opened.push(store)
        return store
      }
      try {
        await run(await another(), under, another)
      } finally {
        for (const store of opened) store.close()
        await under.dispose()
      }
    })
  }

  describe(`${name}: opening`, () => {
    behaviour('nothing was ever written at first', async (store, { shown }) => {
      expect(await store.progress('library')).toEqual({ shown: null, aside: null })
      expect(await shown('books')).toEqual([])
    })

    behaviour('refuses tables that the database does not have as they are defined', async (_, { create }) => {
      for (const tables of [
        { authors: 'name' },
        { books: 'isbn, author' },
        { books: 'isbn, author, *words, copies' },
        { books: 'author, isbn, *words' },
        { books: 'isbn, author, words' },
      ]) {
        await expect(create().open({ other: model(tables) })).rejects.toMatchObject({
          code: 'invalid-argument',
        })
      }
    })

    behaviour('the order of indexes does not matter', async (_, { create }) => {
      const store = create()
      await store.open({ library: model({ books: 'isbn, *words, author' }) })
      store.close()
    })

    behaviour('refuses two read models with one table', async (_, { create }) => {
      const models = { one: model({ totals: 'name' }), two: model({ totals: 'name' }) }
      await expect(create().open(models)).rejects.toMatchObject({ code: 'invalid-argument' })
    })

    behaviour('refuses a read model that was not opened', async store => {
      await expect(store.progress('nothing')).rejects.toMatchObject({
        code: 'invalid-argument',
      })
    })
  })

  describe(`${name}: writing`, () => {
    behaviour('what a put wrote is there, and the progress with it', async (store, { shown }) => {
      expect(await write(store, { to: 'a', steps: [step(1, put(book('1')), put(book('2')))] })).toBe(
        'written',
      )
      expect(await shown('books')).toEqual([book('1'), book('2')])
      expect(await store.progress('library')).toEqual({ shown: 'a', aside: null })
    })

    behaviour('operations are carried out in their order', async (store, { shown }) => {
      const steps = [
        step(1, put(book('1', { copies: 1 })), add('1'), upsertCopies('2'), put(book('3'))),
        step(2, upsertCopies('2'), add('1'), remove('3'), put(book('4')), add('4')),
        step(3, put(book('3', { copies: 7 })), remove('4'), add('4')),
      ]
      await write(store, { to: 'a', steps })
      expect(await shown('books')).toEqual([
        book('1', { copies: 3 }),
        book('2', { copies: 2 }),
        book('3', { copies: 7 }),
      ])
    })

    behaviour('a batch finds the rows of the one before', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')), put(book('2')), put(book('3')))] })
      await write(store, { from: 'a', to: 'b', steps: [step(2, add('1'), remove('2'), upsertCopies('3'))] })
      expect(await shown('books')).toEqual([book('1', { copies: 1 }), book('3', { copies: 1 })])
    })

    behaviour('what is not there is neither updated nor deleted', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, add('1'), remove('2'))] })
      expect(await shown('books')).toEqual([])
    })

    behaviour('keys of several parts, and of numbers, are told apart', async (store, { shown }) => {
      const loan = (reader: string | number, isbn: string) => ({ reader, isbn })
      const keys = [
        ['a', 'b,c'],
        ['a,b', 'c'],
        ['1', '2'],
        [1, '2'],
      ] as const
      const loans = keys.map(([reader, isbn]) => inTable('loans', put(loan(reader, isbn))))
      const late = keys.map(key =>
        inTable(
          'loans',
          update(key, row => ({ ...row, late: true })),
        ),
      )
      await write(store, { to: 'a', steps: [step(1, ...loans), step(2, late[0]!, late[3]!)] })
      expect(await shown('loans')).toEqual([
        { ...loan(1, '2'), late: true },
        loan('1', '2'),
        { ...loan('a', 'b,c'), late: true },
        loan('a,b', 'c'),
      ])
    })

    behaviour('all rows under a value of an index are changed, or deleted', async (store, { shown }) => {
      const rows = [book('1', { words: ['x', 'y'] }), book('2', { words: ['y'] }), book('3', { author: 'B' })]
      await write(store, { to: 'a', steps: [step(1, ...rows.map(put))] })
      await write(store, {
        from: 'a',
        to: 'b',
        steps: [
          step(
            2,
            where('words', 'y', row => ({ ...row, copies: 9 })),
            where('author', 'B', () => null),
          ),
        ],
      })
      expect(await shown('books')).toEqual(rows.slice(0, 2).map(row => ({ ...row, copies: 9 })))
    })

    behaviour('an index knows what earlier operations of the batch did', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')), put(book('2')))] })
      const rename = (from: string, to: string) =>
        where('author', from, row => ({ ...row, author: to, copies: ((row as Book).copies ?? 0) + 1 }))
      const steps = [
        step(2, put(book('1', { author: 'B' })), remove('2'), put(book('3'))),
        step(3, rename('A', 'B'), put(book('4', { author: 'B' })), rename('B', 'C'), rename('A', 'D')),
      ]
      await write(store, { from: 'a', to: 'b', steps })
      expect(await shown('books')).toEqual([
        book('1', { author: 'C', copies: 1 }),
        book('3', { author: 'C', copies: 2 }),
        book('4', { author: 'C', copies: 1 }),
      ])
    })

    behaviour('rows are found by their primary key as by any index', async (store, { shown }) => {
      const loan = { reader: 'r', isbn: '1' }
      await write(store, { to: 'a', steps: [step(1, put(book('1')), inTable('loans', put(loan)))] })
      const steps = [
        step(
          2,
          where('isbn', '1', row => ({ ...row, copies: 1 })),
        ),
        step(
          3,
          inTable(
            'loans',
            where('[reader+isbn]', ['r', '1'], row => ({ ...row, late: true })),
          ),
        ),
      ]
      await write(store, { from: 'a', to: 'b', steps })
      expect(await shown('books')).toEqual([book('1', { copies: 1 })])
      expect(await shown('loans')).toEqual([{ ...loan, late: true }])
    })

    behaviour('writes nothing where the progress is another', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')))] })
      for (const from of [null, 'b', ''] as const) {
        expect(await write(store, { from, to: 'c', steps: [step(2, remove('1'))] })).toBe('moved')
      }
      expect(await shown('books')).toEqual([book('1')])
      expect(await store.progress('library')).toEqual({ shown: 'a', aside: null })
    })

    behaviour('of writers with the same progress exactly one writes', async (store, { shown }, another) => {
      const stores = [store, await another(), await another()]
      for (let round = 0; round < 5; round++) {
        const from = round === 0 ? null : String(round - 1)
        const outcomes = await Promise.all(
          stores.map(each =>
            write(each, { from, to: String(round), steps: [step(round, upsertCopies('1'))] }),
          ),
        )
        expect(outcomes.toSorted()).toEqual(['moved', 'moved', 'written'])
      }
      expect(await shown('books')).toEqual([book('1', { copies: 5 })])
    })

    behaviour('read models get on each by itself', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')))] })
      const total = { name: 'all', n: 1 }
      await write(store, { model: 'tally', to: 'b', steps: [step(1, inTable('totals', put(total)))] })
      expect(await store.progress('library')).toEqual({ shown: 'a', aside: null })
      expect(await store.progress('tally')).toEqual({ shown: 'b', aside: null })
      expect(await shown('totals')).toEqual([total])
    })

    behaviour('a batch without steps moves the progress', async store => {
      expect(await write(store, { to: 'a', steps: [] })).toBe('written')
      expect(await store.progress('library')).toEqual({ shown: 'a', aside: null })
    })

    behaviour(
      'rows changed outside, or in place by a handler, are as they were given',
      async (store, { shown }) => {
        const given = { ...book('1'), words: ['x'] }
        const first = write(store, { to: 'a', steps: [step(1, put(given), push('1', 'y'))] })
        await first
        given.words.push('outside')
        await write(store, { from: 'a', to: 'b', steps: [step(2, push('1', 'z'))] })
        expect(await shown('books')).toEqual([book('1', { words: ['x', 'y', 'z'] })])
        await rewind(store, { from: 'b', to: 'c', through: 1 })
        expect(await shown('books')).toEqual([book('1', { words: ['x', 'y'] })])
      },
    )
  })

  describe(`${name}: a change that cannot be made`, () => {
    const failing: Readonly<Record<string, RowOperation>> = {
      'a function that throws': update('1', () => {
        throw new Error('no')
      }),
      'a function that gives nothing': update('1', () => undefined),
      'a function that gives null': update('1', () => null),
      'a function that gives a promise': update('1', async row => row),
      'a function that gives text': update('1', () => 'text'),
      'a function that gives a row with another key': update('1', row => ({ ...row, isbn: '2' })),
      'a function that gives a row without a key': update('1', () => ({})),
      'a function that makes a row with another key': {
        table: 'books',
        kind: 'upsert',
        key: '3',
        change: () => book('4'),
      },
      'a row without a key': put({ author: 'A' }),
      'a row with a date for a key': put({ ...book('1'), isbn: new Date(0) }),
      'a row with a key that is no number': put({ ...book('1'), isbn: Number.NaN }),
      'a row that cannot be cloned': put({ ...book('3'), now: () => 1 }),
      'a changed row that cannot be cloned': update('1', row => ({ ...row, now: () => 1 })),
      'a key that is none': update(undefined as never, row => row),
      'a value that is none': where('author', undefined as never, row => row),
      'an index that the table does not have': where('copies', 1, row => row),
      'a function for the rows of an index that throws': where('author', 'A', () => {
        throw new Error('no')
      }),
      'a function for the rows of an index that gives nothing': where(
        'author',
        'A',
        () => undefined as never,
      ),
      'a function for the rows of an index that gives another key': where('author', 'A', () => book('9')),
      'a table that the read model does not have': inTable('totals', put({ name: 'all' })),
    }
    for (const [title, operation] of Object.entries(failing)) {
      behaviour(`${title} fails with its step, and nothing is written`, async (store, { shown }) => {
        await write(store, { to: 'a', steps: [step(1, put(book('1')))] })
        const steps = [
          step(2, put(book('2'))),
          step(
            3,
            where('author', 'A', () => null),
          ),
          step(4, put(book('1'))),
        ]
        const failed = write(store, { from: 'a', to: 'b', steps: [...steps, step(5, operation)] })
        await expect(failed).rejects.toBeInstanceOf(RowChangeFailed)
        await expect(failed).rejects.toMatchObject({ step: 3 })
        expect(await shown('books')).toEqual([book('1')])
        expect(await store.progress('library')).toEqual({ shown: 'a', aside: null })
        expect(await write(store, { from: 'a', to: 'b', steps })).toBe('written')
        expect(await shown('books')).toEqual([book('1')])
      })
    }

    behaviour('the first step that fails is told', async store => {
      const failed = write(store, {
        to: 'a',
        steps: [step(1, upsertCopies('1')), step(2, failing['a function that throws']!), step(3, put({}))],
      })
      await expect(failed).rejects.toMatchObject({ step: 1, message: 'no' })
    })

    behaviour('a function is not asked where the progress is another', async store => {
      const batch = { from: 'elsewhere', to: 'a', steps: [step(1, put({}))] }
      expect(await write(store, batch)).toBe('moved')
    })
  })

  describe(`${name}: taking back`, () => {
    behaviour('makes rows what they were before all steps behind a position', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')), put(book('2')))], settledThrough: 1 })
      const steps = [
        step(2, add('1'), put(book('3'))),
        step(
          3,
          add('1'),
          remove('2'),
          where('author', 'A', row => ({ ...row, author: 'B' })),
        ),
        step(4, remove('1'), put(book('2', { author: 'new' })), upsertCopies('4')),
      ]
      await write(store, { from: 'a', to: 'b', steps, settledThrough: 1 })
      expect(await shown('books')).toHaveLength(3)
      expect(await rewind(store, { from: 'b', to: 'c', through: 3 })).toBe('written')
      expect(await shown('books')).toEqual([
        book('1', { copies: 2, author: 'B' }),
        book('3', { author: 'B' }),
      ])
      await rewind(store, { from: 'c', to: 'd', through: 2 })
      expect(await shown('books')).toEqual([book('1', { copies: 1 }), book('2'), book('3')])
      await rewind(store, { from: 'd', to: 'e', through: 1 })
      expect(await shown('books')).toEqual([book('1'), book('2')])
      expect(await store.progress('library')).toEqual({ shown: 'e', aside: null })
    })

    behaviour(
      'steps of several batches are taken back, and can be written again',
      async (store, { shown }) => {
        const progress = ['0', '1', '2', '3', '4'] as const
        for (const [i, to] of progress.entries()) {
          await write(store, { from: progress[i - 1] ?? null, to, steps: [step(i + 1, upsertCopies('1'))] })
        }
        await rewind(store, { from: '4', to: '1', through: 2 })
        expect(await shown('books')).toEqual([book('1', { copies: 2 })])
        await write(store, { from: '1', to: '2', steps: [step(3, upsertCopies('1'))] })
        await rewind(store, { from: '2', to: 'first', through: 1 })
        expect(await shown('books')).toEqual([book('1', { copies: 1 })])
      },
    )

    behaviour('what was taken back once does not come again', async (store, { shown }) => {
      const steps = [step(1, put(book('1'))), step(2, add('1')), step(3, add('1'))]
      await write(store, { to: 'a', steps })
      await rewind(store, { from: 'a', to: 'b', through: 1 })
      await write(store, { from: 'b', to: 'c', steps: [step(2, put(book('1', { author: 'B' })))] })
      await rewind(store, { from: 'c', to: 'd', through: 2 })
      expect(await shown('books')).toEqual([book('1', { author: 'B' })])
    })

    behaviour(
      'steps at one position are taken back together, also from two batches',
      async (store, { shown }) => {
        await write(store, {
          to: 'a',
          steps: [step(1, put(book('1'))), step(2, add('1')), step(2, add('1'))],
        })
        await write(store, { from: 'a', to: 'b', steps: [step(2, add('1'))] })
        await rewind(store, { from: 'b', to: 'c', through: 1 })
        expect(await shown('books')).toEqual([book('1')])
      },
    )

    behaviour('takes nothing back where nothing lies behind', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')))] })
      expect(await rewind(store, { from: 'a', to: 'b', through: 1 })).toBe('written')
      expect(await shown('books')).toEqual([book('1')])
      expect(await store.progress('library')).toEqual({ shown: 'b', aside: null })
    })

    behaviour('refuses to take back what is settled', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1'))), step(2, add('1'))], settledThrough: 0 })
      await write(store, { from: 'a', to: 'b', steps: [], settledThrough: 2 })
      const refused = rewind(store, { from: 'b', to: 'c', through: 1 })
      await expect(refused).rejects.toMatchObject({ code: 'invalid-argument' })
      expect(await shown('books')).toEqual([book('1', { copies: 1 })])
      expect(await store.progress('library')).toEqual({ shown: 'b', aside: null })
    })

    behaviour('what is settled stays so where a writer does not know of it yet', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')))], settledThrough: 5 })
      await write(store, {
        from: 'a',
        to: 'b',
        steps: [step(4, add('1')), step(6, add('1'))],
        settledThrough: 0,
      })
      await expect(rewind(store, { from: 'b', to: 'c', through: 3 })).rejects.toMatchObject({
        code: 'invalid-argument',
      })
      await rewind(store, { from: 'b', to: 'c', through: 5 })
      expect(await shown('books')).toEqual([book('1', { copies: 1 })])
    })

    behaviour('takes nothing back where the progress is another', async (store, { shown }) => {
      await write(store, { to: 'a', steps: [step(1, put(book('1')))] })
      expect(await rewind(store, { from: 'b', to: 'c', through: 0 })).toBe('moved')
      expect(await shown('books')).toEqual([book('1')])
    })
  })

  describe(`${name}: making all rows anew`, () => {
    const library = 'library'

    behaviour('rows aside are not shown before all of them are', async (store, { shown }) => {
      await write(store, { to: 'old', steps: [step(1, put(book('old')))] })
      expect(await store.begin({ model: library, from: null, to: 'begun' })).toBe('written')
      expect(
        await write(store, { side: 'aside', from: 'begun', to: 'new', steps: [step(1, put(book('new')))] }),
      ).toBe('written')
      expect(await shown('books')).toEqual([book('old')])
      expect(await store.progress(library)).toEqual({ shown: 'old', aside: 'new' })
      expect(await store.switchOver({ model: library, shown: 'old', aside: 'new' })).toBe('written')
      expect(await shown('books')).toEqual([book('new')])
      expect(await store.progress(library)).toEqual({ shown: 'new', aside: null })
    })

    behaviour('the side that was shown is empty then', async (store, { shown }) => {
      for (const [from, to] of [
        [null, 'one'],
        ['one', 'two'],
        ['two', 'three'],
      ] as const) {
        await store.begin({ model: library, from: null, to: 'begun' })
        await write(store, { side: 'aside', from: 'begun', to, steps: [step(1, upsertCopies(to))] })
        expect(await store.switchOver({ model: library, shown: from, aside: to })).toBe('written')
        expect(await shown('books')).toEqual([book(to, { copies: 1 })])
      }
    })

    behaviour('beginning again empties what was begun', async (store, { shown }) => {
      await store.begin({ model: library, from: null, to: 'begun' })
      await write(store, { side: 'aside', from: 'begun', to: 'half', steps: [step(1, put(book('half')))] })
      expect(await store.begin({ model: library, from: 'half', to: 'again' })).toBe('written')
      await store.switchOver({ model: library, shown: null, aside: 'again' })
      expect(await shown('books')).toEqual([])
    })

    behaviour(
      'nothing is begun or switched where the progress of a side is another',
      async (store, { shown }) => {
        await write(store, { to: 'old', steps: [step(1, put(book('old')))] })
        await store.begin({ model: library, from: null, to: 'begun' })
        expect(await store.begin({ model: library, from: null, to: 'again' })).toBe('moved')
        expect(await store.switchOver({ model: library, shown: 'other', aside: 'begun' })).toBe('moved')
        expect(await store.switchOver({ model: library, shown: null, aside: 'begun' })).toBe('moved')
        expect(await store.switchOver({ model: library, shown: 'old', aside: 'other' })).toBe('moved')
        expect(await shown('books')).toEqual([book('old')])
        expect(await store.progress(library)).toEqual({ shown: 'old', aside: 'begun' })
      },
    )

    behaviour(
      'what is pending can be taken back on each side, and after the switch',
      async (store, { shown }) => {
        await write(store, {
          to: 'old',
          steps: [step(1, put(book('1'))), step(2, add('1'))],
          settledThrough: 1,
        })
        await store.begin({ model: library, from: null, to: 'begun' })
        const steps = [step(1, put(book('1', { author: 'new' }))), step(2, add('1')), step(3, add('1'))]
        await write(store, { side: 'aside', from: 'begun', to: 'new', steps, settledThrough: 1 })
        await rewind(store, { from: 'old', to: 'older', through: 1 })
        expect(await shown('books')).toEqual([book('1')])
        await rewind(store, { side: 'aside', from: 'new', to: 'newer', through: 2 })
        await store.switchOver({ model: library, shown: 'older', aside: 'newer' })
        expect(await shown('books')).toEqual([book('1', { author: 'new', copies: 1 })])
        await rewind(store, { from: 'newer', to: 'newest', through: 1 })
        expect(await shown('books')).toEqual([book('1', { author: 'new' })])
      },
    )

    behaviour('what is settled on one side is not on one that is begun anew', async (store, { shown }) => {
      await write(store, { to: 'old', steps: [step(9, put(book('1')))], settledThrough: 9 })
      await store.begin({ model: library, from: null, to: 'begun' })
      const steps = [step(1, put(book('1'))), step(2, add('1'))]
      await write(store, { side: 'aside', from: 'begun', to: 'new', steps, settledThrough: 1 })
      await store.switchOver({ model: library, shown: 'old', aside: 'new' })
      await rewind(store, { from: 'new', to: 'newer', through: 1 })
      expect(await shown('books')).toEqual([book('1')])
    })

    behaviour('a switch by one store is known to all others at once', async (store, { shown }, another) => {
      const other = await another()
      await write(store, { to: 'old', steps: [step(1, put(book('old')))] })
      await write(other, { from: 'old', to: 'older', steps: [step(2, add('old'))] })
      await store.begin({ model: library, from: null, to: 'begun' })
      await store.switchOver({ model: library, shown: 'older', aside: 'begun' })
      expect(await write(other, { from: 'older', to: 'x', steps: [step(3, put(book('lost')))] })).toBe(
        'moved',
      )
      expect(await write(other, { from: 'begun', to: 'new', steps: [step(1, put(book('new')))] })).toBe(
        'written',
      )
      expect(await shown('books')).toEqual([book('new')])
      expect(await other.begin({ model: library, from: null, to: 'again' })).toBe('written')
      expect(await shown('books')).toEqual([book('new')])
    })

    behaviour('of switches at once exactly one is made', async (store, { shown }, another) => {
      await store.begin({ model: library, from: null, to: 'begun' })
      await write(store, { side: 'aside', from: 'begun', to: 'new', steps: [step(1, put(book('new')))] })
      const stores = [store, await another()]
      const outcomes = await Promise.all(
        stores.map(each => each.switchOver({ model: library, shown: null, aside: 'new' })),
      )
      expect(outcomes.toSorted()).toEqual(['moved', 'written'])
      expect(await shown('books')).toEqual([book('new')])
    })

    behaviour('another read model stays as it is', async (store, { shown }) => {
      const total = { name: 'all', n: 1 }
      await write(store, { model: 'tally', to: 'b', steps: [step(1, inTable('totals', put(total)))] })
      await store.begin({ model: library, from: null, to: 'begun' })
      await store.switchOver({ model: library, shown: null, aside: 'begun' })
      expect(await shown('totals')).toEqual([total])
      expect(await store.progress('tally')).toEqual({ shown: 'b', aside: null })
    })
  })

  test(`${name}: rows and progress are there for who opens the database again`, async () => {
    const under = await openFresh(MODELS)
    try {
      const store = under.create()
      await store.open(MODELS)
      await write(store, { to: 'a', steps: [step(1, put(book('1')))] })
      await store.begin({ model: 'library', from: null, to: 'b' })
      store.close()
      const again = under.create()
      await again.open(MODELS)
      expect(await again.progress('library')).toEqual({ shown: 'a', aside: 'b' })
      expect(await rewind(again, { from: 'a', to: 'c', through: 0 })).toBe('written')
      expect(await under.shown('books')).toEqual([])
      again.close()
    } finally {
      await under.dispose()
    }
  })
}

type Call = Readonly<{ model?: string; side?: RowSide; from?: RowProgress; to: string }>

/** All is pending where nothing is said. */
async function write(
  store: RowStore,
  batch: Call & Readonly<{ steps: readonly RowStep[]; settledThrough?: number }>,
): Promise<string> {
  return store.write({ model: 'library', side: 'shown', from: null, settledThrough: 0, ...batch })
}

async function rewind(
  store: RowStore,
  back: Call & Readonly<{ from: string; through: number }>,
): Promise<string> {
  return store.rewind({ model: 'library', side: 'shown', ...back })
}

const step = (position: number, ...operations: RowOperation[]): RowStep => ({ position, operations })

const book = (isbn: string, more: Partial<Book> = {}): Book => ({ isbn, author: 'A', ...more })

const put = (row: object): RowOperation => ({ table: 'books', kind: 'put', row })

/** Gives what no handler may give, too. */
const update = (key: RowKey, change: (row: object) => unknown): RowOperation => ({
  table: 'books',
  kind: 'update',
  key,
  change: change as (row: object) => object,
})

const add = (isbn: string): RowOperation =>
  update(isbn, row => ({ ...row, copies: ((row as Book).copies ?? 0) + 1 }))

const push = (isbn: string, word: string): RowOperation =>
  update(isbn, row => {
    ;(row as { words: string[] }).words.push(word)
    return row
  })

const upsertCopies = (isbn: string): RowOperation => ({
  table: 'books',
  kind: 'upsert',
  key: isbn,
  change: row => ({ ...book(isbn), ...row, copies: ((row as Book | undefined)?.copies ?? 0) + 1 }),
})

const remove = (isbn: string): RowOperation => ({ table: 'books', kind: 'delete', key: isbn })

const where = (index: string, value: RowKey, change: (row: object) => object | null): RowOperation => ({
  table: 'books',
  kind: 'update-where',
  index,
  value,
  change,
})

const inTable = (table: string, operation: RowOperation): RowOperation => ({ ...operation, table })
