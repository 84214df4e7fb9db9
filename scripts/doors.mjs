// The doors of the package: what can be imported from it, and the file each one begins in.

export const DOORS = {
  index: 'src/index.ts',
  worker: 'worker/index.ts',
  server: 'src/server/index.ts',
  'server-node': 'src/server/node.ts',
  'server-jwt': 'src/server/jwt.ts',
  'server-telemetry': 'src/server/telemetry.ts',
  integrity: 'src/integrity/index.ts',
  conformance: 'src/conformance/index.ts',
  testing: 'src/testing/index.ts',
  'storage-indexeddb': 'src/storage/indexeddb/index.ts',
  'storage-memory': 'src/storage/memory/index.ts',
  'storage-postgres': 'src/storage/postgres/index.ts',
  dexie: 'src/dexie/index.ts',
  vite: 'src/build/vite.ts',
  unplugin: 'src/build/index.ts',
}

/** What can be run from it. */
export const COMMANDS = { cli: 'src/cli/main.ts' }
