// The door streamdingo/server.

export type { EventLog } from '../engine/event-log.ts'
export { createEventStore } from '../engine/event-store.ts'
export { type OpenLogOptions, openLog } from '../engine/open-log.ts'
export { generatePrivateKey, importKeyPair, type KeyPair } from '../integrity/ed25519.ts'
export { isStoreError, StoreError } from '../log/errors.ts'
export type { EventStore } from '../model/event-store.ts'
export type { LogStorage } from '../storage/log-storage.ts'
export { type Access, type Authorize, bearerToken } from './access.ts'
export type { ServerSigning } from './signing.ts'
export {
  createSyncServer,
  type ErrorContext,
  type SyncServer,
  type SyncServerLimits,
  type SyncServerOptions,
} from './sync-server.ts'
export type { ForkEvidence } from './witness.ts'
