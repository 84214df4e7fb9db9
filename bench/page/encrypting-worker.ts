// The same store, with everything that is appended encrypted.

import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { app } from './app.ts'

serveStore({
  app,
  storage: ({ storeId }) => indexedDbStorage({ name: storeId }),
  encryption: { keyIdFor: () => 'all' },
})
