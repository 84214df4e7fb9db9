import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { databaseName } from './src/database-name.ts'
import { app } from './src/domain/app.ts'

serveStore({
  app,
  storage: ({ storeId }) => indexedDbStorage({ name: databaseName(storeId) }),
  sync: { url: new URL('/sync', self.location.origin).href },
})
