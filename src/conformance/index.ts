// The door streamdingo/conformance: suites that hold a storage, a database of rows, or a whole store to what
// it promises.

export { type FixtureOptions, fixtureBlock } from './block-fixtures.ts'
export { describeEventStore, type OpenStore } from './event-store-contract.ts'
export { describeLogStorage, type StorageUnderTest } from './log-storage-contract.ts'
export { describeRowStore, type RowsUnderTest } from './row-store-contract.ts'
