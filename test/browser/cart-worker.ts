// A worker file as an application has it.

import { indexedDbStorage } from '../../src/storage/indexeddb/index.ts'
import { serveStore } from '../../worker/index.ts'
import { cartApp } from '../worker/cart-app.ts'

serveStore({ app: cartApp, storage: ({ storeId }) => indexedDbStorage({ name: storeId }) })
