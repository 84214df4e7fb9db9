// The door for the page: opens stores. It reaches no storage, no hashing and no engine.

export type { KeysControl } from './client/keys-control.ts'
export { type ImportOptions, type OpenStoreOptions, openStore } from './client/open-store.ts'
export type { ProjectionControl } from './client/projection-control.ts'
export type { Readable } from './client/readable.ts'
export type { ExecuteOptions, ExecuteResult, StoreClient, SyncControl } from './client/store-client.ts'
export type { View } from './client/views.ts'
export type { StoreHealth, WorkerSource } from './client/worker-link.ts'
export type { SharedEndpoint, WorkerEndpoint } from './client/worker-session.ts'
export type { ConflictPolicy, OnConflict } from './log/commit-note.ts'
export {
  type ErrorFacts,
  InvalidEvent,
  isStoreError,
  LogDamaged,
  StorageFailed,
  type StorageProblem,
  StoreError,
  type StoreErrorCode,
  VersionConflict,
} from './log/errors.ts'
export type {
  Event,
  EventStatus,
  GlobalPosition,
  Hash,
  RecordedEvent,
  RecordedMetadata,
  StreamVersion,
} from './log/event.ts'
export type { ExpectedStreamVersion } from './log/expected-version.ts'
export type { ConsistencyProof, InclusionProof, LogCheckpoint, UnsignedReason } from './log/proofs.ts'
export type { Amendment, AmendOptions, RecordedAmendment, RecordedChange } from './model/amendment.ts'
export type {
  AnyDecider,
  AnyProjection,
  App,
  Command,
  CommandOf,
  DeciderDefinition,
  DecidersOf,
  Evolve,
  HandlerCode,
  Handlers,
  MergeNameOf,
  ProjectionDefinition,
  ProjectionsOf,
  StateOf,
  Upcaster,
} from './model/app.ts'
export type { KeyState, KeyStatus } from './model/encryption.ts'
export type { EraseOptions, Erasure } from './model/erasure.ts'
export type {
  AppendOptions,
  AppendResult,
  AppendToStreamsOptions,
  BytePlace,
  EventStore,
  ExportOptions,
  ExportProgress,
  ExportProofOptions,
  ReadAllOptions,
  ReadOrder,
  ReadStreamOptions,
  ReadStreamResult,
  StreamAppend,
  SubscribeOptions,
  Subscription,
  VerifyCheck,
  VerifyLevel,
  VerifyOptions,
  VerifyProblem,
  VerifyProgress,
  VerifyReport,
} from './model/event-store.ts'
export type { ImportProgress } from './model/import.ts'
export type {
  Finding,
  IntegrityStatus,
  QuarantinedBlock,
  RecoveryAction,
  Verdict,
} from './model/integrity-status.ts'
export type { AnyMerge, Conflict, MergeDefinition, Merged } from './model/merge.ts'
export type { Moment } from './model/moment.ts'
export type {
  ProjectionPhase,
  ProjectionStatus,
  SkippedEvent,
  StoppedAt,
  WhenProcessedOptions,
} from './model/projection-status.ts'
export type {
  AnyReadModel,
  ReadModelDefinition,
  RowKey,
  RowTypes,
  RowWriter,
  RowWriters,
} from './model/read-model.ts'
export type { ReplayExplanation, ReplayReason, ReplayReport } from './model/replay-report.ts'
export type { HashedSnapshot, Snapshot } from './model/snapshot.ts'
export type { SinceSnapshot, SnapshotPolicy, SnapshotRetention } from './model/snapshot-policy.ts'
export type { StorageStatus } from './model/storage-status.ts'
export type {
  EventProgress,
  PlainError,
  RejectedAmendment,
  Rejection,
  SyncPhase,
  SyncStatus,
  WhenConfirmedOptions,
} from './model/sync-status.ts'
