// Another release of the application: with a merge that the one in store-worker.ts has not, and a total that counts twice.

import type { MergeDefinition } from 'streamdingo'
import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { app, type Counted } from './app.ts'

const both: MergeDefinition<number, Counted> = { decider: 'counter', merge: ({ local }) => local }

const { total } = app.projections
const counted = { ...total, evolve: { Counted: (sum: number) => sum + 2 }, version: '2' }

serveStore({
  app: { ...app, projections: { ...app.projections, total: counted }, merges: { both } },
  storage: ({ storeId }) => indexedDbStorage({ name: `harness-${storeId}` }),
  sync: ({ url, token }) => (url ? { url, ...(token && { token }) } : null),
})
