import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { app } from './app.ts'

serveStore({
  app,
  storage: ({ storeId }) =>
    indexedDbStorage({
      name: `harness-${storeId}`,
      acceptDataLoss: self.name === 'accept-data-loss',
    }),
  // At once: so blocks are merged while tabs append, and while a browser is killed.
  compaction: { idleMs: 0 },
  sync: ({ url, token }) => (url ? { url, ...(token && { token }) } : null),
})
