import 'fake-indexeddb/auto'
import Dexie from 'dexie'
import { afterEach, describe, expect, test } from 'vitest'
import { readModelStores } from '../../src/dexie/index.ts'
import type { ReadModelDefinition } from '../../src/model/read-model.ts'
import { deleteDatabases, freshName } from './databases.ts'

afterEach(deleteDatabases)

describe('the tables of read models', () => {
  test('stand beside those of the application, two for each', async () => {
    const search: Pick<ReadModelDefinition<{ cards: { id: string } }, never>, 'tables'> = {
      tables: { cards: 'id, *words' },
    }
    const db = new Dexie(freshName())
    db.version(1).stores({ drafts: '++id', cards: 'id', ...readModelStores(search.tables) })
    await db.open()
    const indexes = Object.fromEntries(
      db.tables.map(({ name, schema }) => [name, [schema.primKey, ...schema.indexes].map(({ src }) => src)]),
    )
    expect(indexes).toMatchObject({ drafts: ['++id'], cards: ['id'] })
    expect(indexes).toMatchObject({ cards$a: ['id', '*words'], cards$b: ['id', '*words'] })
    await db.delete()
  })

  test('of several read models may be declared together, or one after the other', () => {
    const [one, two] = [{ cards: 'id' }, { scores: '[player+game]' }]
    expect({ ...readModelStores(one), ...readModelStores(two) }).toEqual(readModelStores(one, two))
  })

  test.each(['id', '&id', 'meta.id', '[a+b]', 'id, n, *words, [a+b]'])(
    'may have the indexes "%s"',
    indexes => {
      expect(readModelStores({ cards: indexes })).toMatchObject({ cards$a: indexes, cards$b: indexes })
    },
  )

  test.each([
    ['cards', '++id', 'counts up'],
    ['cards', '++', 'counts up'],
    ['cards', '', 'must be a property'],
    ['cards', ', n', 'must be a property'],
    ['cards', '*id', 'one value'],
    ['cards', 'id, &word', 'cannot be unique'],
    ['cards', 'id, &[a+b]', 'cannot be unique'],
    ['', 'id', 'not empty'],
    ['cards$a', 'id', 'no "$"'],
  ])('are refused as "%s" with the indexes "%s"', (table, indexes, problem) => {
    expect(() => readModelStores({ [table]: indexes })).toThrow(problem)
    expect(() => readModelStores({ [table]: indexes })).toThrow(
      expect.objectContaining({ code: 'invalid-argument' }),
    )
  })

  test('are refused where two read models have one of the same name', () => {
    expect(() => readModelStores({ cards: 'id' }, { cards: 'id' })).toThrow('two read models')
  })
})
