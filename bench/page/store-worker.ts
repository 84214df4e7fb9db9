import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { app } from './app.ts'

serveStore({
  app,
  storage: ({ storeId }) => indexedDbStorage({ name: storeId }),
  sync: ({ url, token }) => (url ? { url, ...(token && { token }) } : null),
})
