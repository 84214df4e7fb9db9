import type { LogStorage } from '../../src/storage/log-storage.ts'

/** A storage that does what `overrides` say, and what `storage` does for the rest. */
export function wrapStorage(storage: LogStorage, overrides: Partial<LogStorage>): LogStorage {
  return {
    capabilities: storage.capabilities,
    ...(storage.place !== undefined && { place: storage.place }),
    open: () => storage.open(),
    head: () => storage.head(),
    append: (...args) => storage.append(...args),
    ...(storage.replace && { replace: (...args) => storage.replace!(...args) }),
    ...(storage.overwrite && { overwrite: blocks => storage.overwrite!(blocks) }),
    ...(storage.reset && { reset: (...args) => storage.reset!(...args) }),
    ...(storage.resetToStaged && { resetToStaged: (...args) => storage.resetToStaged!(...args) }),
    read: range => storage.read(range),
    get: key => storage.get(key),
    list: prefix => storage.list(prefix),
    keys: (prefix, limit) => storage.keys(prefix, limit),
    put: values => storage.put(values),
    swap: (...args) => storage.swap(...args),
    onLost: listener => storage.onLost(listener),
    close: () => storage.close(),
    ...overrides,
  }
}
