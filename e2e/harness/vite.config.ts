// The harness: built against the package as it is published, served so that a browser tells how much memory it takes.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vite'
import { packageAliases } from '../../scripts/package-aliases.mjs'

const root = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig({
  root,
  resolve: { alias: packageAliases('dist') },
  worker: { format: 'es' },
  build: { outDir: `${root}dist`, emptyOutDir: true, target: 'es2023' },
})
