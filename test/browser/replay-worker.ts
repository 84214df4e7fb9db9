// Serves the release that the worker is named after, its snapshots deflated.

import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'
import { deflatedJsonCodec, serveStore } from '../../worker/index.ts'
import { releases } from './replay-app.ts'

serveStore({
  app: releases[self.name as keyof typeof releases],
  storage: ({ storeId }) => indexedDbStorage({ name: storeId }),
  snapshots: { codec: deflatedJsonCodec },
})
