// The door streamdingo/server.

export type { EventLog } from '../engine/event-log.ts'
export { createEventStore } from '../engine/event-store.ts'
export { type OpenLogOptions, openLog } from '../engine/open-log.ts'
export { generatePrivateKey, importKeyPair, type KeyPair } from '../integrity/ed25519.ts'
export { isStoreError, StoreError } from '../log/errors.ts'
export type { EventStore } from '../model/event-store.ts'
export type { LogStorage } from '../storage/log-storage.ts'
export { type Access, type Authorize, bearerToken, type StreamTest, Unavailable } from './access.ts'
export type { SyncServerRates } from './gate.ts'
export { createTokenBuckets, type RateLimiter, type TokenBucketOptions } from './rate-limit.ts'
export type { RequestLog, ServerLogEvent, ServerTelemetry, StreamLog } from './request-record.ts'
export type { ErrorContext, SyncServerLimits, SyncServerOptions } from './server-options.ts'
export type { ServerSigning } from './signing.ts'
export {
  createSyncServer,
  type Peer,
  type SyncServer,
} from './sync-server.ts'
export type { ForkEvidence } from './witness.ts'
