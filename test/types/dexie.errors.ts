// Programs that must not compile. Checked by `tsc`: an expected error that does not come is an error.

import { Dexie, type Table } from 'dexie'
import { readModelStores, readShown, shownTable } from '../../src/dexie/index.ts'
import type { Event } from '../../src/index.ts'
import type { ReadModelDefinition } from '../../src/model/read-model.ts'

type Card = { id: string; words: string[] }
type Added = Event<'Added', { id: string; title: string }>

const search: ReadModelDefinition<{ cards: Card }, Added> = {
  tables: { cards: 'id, *words' },
  canHandle: ['Added'],
  evolve: {
    Added: ({ cards }, { data }) => cards.put({ id: data.id, words: data.title.split(' ') }),
  },
}

// What compiles, with the types that the definition gives.
const db = new Dexie('search')
db.version(1).stores({ drafts: '++id', ...readModelStores(search.tables) })
const cards = await shownTable<Card, string>(db, 'cards')
;(await cards.get('1')) satisfies Card | undefined
const found = await readShown(db, ['cards'], ({ cards }: { cards: Table<Card, string> }) => cards.toArray())
found satisfies Card[]

// @ts-expect-error the rows of the table are others
;(await cards.get('1')) satisfies { name: string } | undefined

// @ts-expect-error the key of the table is another
await cards.get(1)

// @ts-expect-error the query has no table of this name
await readShown(db, ['decks'], ({ cards }: { cards: Table<Card, string> }) => cards.toArray())

// @ts-expect-error indexes are text
readModelStores({ cards: ['id'] })
