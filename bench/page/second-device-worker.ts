// The same store on another device: another database of the same browser.

import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { app } from './app.ts'

serveStore({
  app,
  storage: ({ storeId }) => indexedDbStorage({ name: `second-${storeId}` }),
  sync: ({ url, token }) => (url ? { url, ...(token && { token }) } : null),
})
