// The door streamdingo/storage/memory, and of the contract that every storage keeps.

export type { StoredBlock } from '../../log/block.ts'
export type {
  AppendOutcome,
  KeyValues,
  LogStorage,
  ReadRange,
  ReplaceOutcome,
  StorageCapabilities,
} from '../log-storage.ts'
export { createMemoryDatabase, type MemoryDatabase, memoryStorage } from './memory-storage.ts'
