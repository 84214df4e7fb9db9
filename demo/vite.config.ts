// The demo: built against the package as it is published, developed against its sources.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { DOORS } from '../scripts/doors.mjs'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** Import names of the doors: `storage-indexeddb` is `streamdingo/storage/indexeddb`. */
const importName = (door: string): string =>
  door === 'index' ? 'streamdingo' : `streamdingo/${door.replace('-', '/')}`

export default defineConfig(({ command }) => ({
  root: at('demo'),
  resolve: {
    alias: Object.entries(DOORS).map(([door, source]) => ({
      find: new RegExp(`^${importName(door)}$`),
      replacement: command === 'build' ? at(`dist/${door}.js`) : at(source),
    })),
  },
  worker: { format: 'es' },
  build: { outDir: at('demo/dist'), emptyOutDir: true, target: 'es2023' },
  server: { host: '127.0.0.1', proxy: { '/sync': 'http://127.0.0.1:4747' } },
}))
