// The worker of the board's store.

import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { app } from './src/domain/app.ts'

serveStore({
  app,
  // The page names this worker after the database: one board can be opened as several devices.
  storage: () => indexedDbStorage({ name: self.name }),
  sync: { url: new URL('/sync', self.location.origin).href },
})
