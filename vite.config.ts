// Builds the package: one ES module a door, what doors share in chunks, dependencies left to the application.

import { defineConfig } from 'vite'
import packageJson from './package.json' with { type: 'json' }
import { COMMANDS, DOORS } from './scripts/doors.mjs'

const external = [...Object.keys(packageJson.dependencies), ...Object.keys(packageJson.peerDependencies)]

export default defineConfig({
  build: {
    target: 'es2023',
    minify: false,
    sourcemap: true,
    lib: { entry: { ...DOORS, ...COMMANDS }, formats: ['es'] },
    rollupOptions: {
      external: id =>
        id.startsWith('node:') || external.some(name => id === name || id.startsWith(`${name}/`)),
      output: { chunkFileNames: 'chunks/[name]-[hash].js' },
    },
  },
})
