// The door for the application's worker file.

export type { EncryptionOptions, EventToEncrypt } from '../src/model/encryption.ts'
export {
  type RowBatch,
  RowChangeFailed,
  type RowOperation,
  type RowOutcome,
  type RowProgress,
  type RowSide,
  type RowStep,
  type RowStore,
  type ServedReadModels,
} from '../src/model/row-store.ts'
export { deflatedJsonCodec, jsonCodec, type SnapshotCodec } from '../src/model/snapshot-codec.ts'
export type { SnapshotsOptions } from '../src/model/snapshot-policy.ts'
export type { PageValues } from '../src/protocol/worker-api.ts'
export { type ServeStoreOptions, serveStore } from './serve-store.ts'
export type { SyncTarget } from './sync-role.ts'
