// The demo: built against the package as it is published, developed against its sources.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { packageAliases } from '../scripts/package-aliases.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig(({ command }) => ({
  root,
  resolve: { alias: packageAliases(command === 'build' ? 'dist' : 'sources') },
  worker: { format: 'es' },
  build: { outDir: `${root}dist`, emptyOutDir: true, target: 'es2023' },
  server: { host: '127.0.0.1', proxy: { '/sync': 'http://127.0.0.1:4747' } },
}))
