// The door for the application's worker file.

export type { PageValues } from '../src/protocol/worker-api.ts'
export { type ServeStoreOptions, serveStore } from './serve-store.ts'
export type { SyncTarget } from './sync-role.ts'
