// The worker of the board's store.

import { dexieRows } from 'streamdingo/dexie'
import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { isRelease } from './src/domain/activity.ts'
import { appOf } from './src/domain/app.ts'
import { cardSearch, openSearch } from './src/domain/card-search.ts'

// The page names this worker after the database, as one board can be opened as several devices, and after the release of
// the app that it plays.
const [database, release = ''] = self.name.split('?') as [string, string?]

serveStore({
  app: appOf(isRelease(release) ? release : ''),
  storage: () => indexedDbStorage({ name: database }),
  readModels: () => ({ rows: dexieRows(openSearch(database)), models: { cardSearch } }),
  sync: { url: new URL('/sync', self.location.origin).href },
})
