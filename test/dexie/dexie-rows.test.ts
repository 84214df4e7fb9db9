import 'fake-indexeddb/auto'
import { describeRowStore } from '../../src/conformance/index.ts'
import { freshRows } from './databases.ts'

describeRowStore('Dexie (fake-indexeddb)', freshRows)
