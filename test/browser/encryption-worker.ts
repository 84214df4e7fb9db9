// A worker file of an application that encrypts each stream with a key of its own.

import type { App } from '../../src/model/app.ts'
import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'
import { serveStore } from '../../worker/index.ts'
import { notesApp } from './notes-app.ts'

serveStore({
  app: notesApp as unknown as App,
  storage: ({ storeId }) => indexedDbStorage({ name: storeId }),
  encryption: { keyIdFor: ({ streamName }) => streamName },
})
