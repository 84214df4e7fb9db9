// Serves a store with rows that follow it, or, named `without`, without.

import { dexieRows } from 'streamdingo/dexie'
import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { carts, openRows } from './read-models-app.ts'

serveStore({
  app: {},
  storage: ({ storeId }) => indexedDbStorage({ name: storeId }),
  ...(self.name !== 'without' && {
    readModels: ({ storeId }) => ({ rows: dexieRows(openRows(storeId)), models: { carts } }),
  }),
})
