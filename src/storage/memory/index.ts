// The door streamdingo/storage/memory.

export { createMemoryDatabase, type MemoryDatabase, memoryStorage } from './memory-storage.ts'
