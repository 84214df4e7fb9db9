// The door streamdingo/storage/indexeddb.

export { type IndexedDbStorageOptions, indexedDbStorage } from './indexeddb-storage.ts'
