// The demo: built against the package as it is published, developed against its sources.

import { fileURLToPath } from 'node:url'
import { defineConfig, type Plugin, type UserConfig } from 'vite'
import { packageAliases } from '../scripts/package-aliases.mjs'
import * as sources from '../src/build/vite.ts'

const root = fileURLToPath(new URL('.', import.meta.url))

export default defineConfig(
  async ({ command }): Promise<UserConfig> => ({
    root,
    resolve: { alias: packageAliases(command === 'build' ? 'dist' : 'sources') },
    worker: { format: 'es' },
    build: {
      outDir: `${root}dist`,
      emptyOutDir: true,
      target: 'es2023',
      rollupOptions: {
        input: { index: `${root}index.html`, [SERVICE_WORKER]: `${root}service-worker.ts` },
        output: {
          // A service worker is known by its address.
          entryFileNames: ({ name }) => (name === SERVICE_WORKER ? '[name].js' : 'assets/[name]-[hash].js'),
        },
      },
    },
    plugins: [await handlerHashes(command), tellServiceWorker()],
    server: { host: '127.0.0.1', proxy: { '/sync': 'http://127.0.0.1:4747' } },
  }),
)

/** The package's own plugin, as it is published or from its sources. */
async function handlerHashes(command: 'build' | 'serve'): Promise<Plugin> {
  const built = new URL('../dist/vite.js', import.meta.url).href
  const door: typeof sources = command === 'build' ? await import(built) : sources
  return door.streamdingo()
}

const SERVICE_WORKER = 'service-worker'

/** Tells the service worker the names of the files that it has to keep. */
function tellServiceWorker(): Plugin {
  return {
    name: 'tell-service-worker',
    generateBundle(_, bundle) {
      const chunk = bundle[`${SERVICE_WORKER}.js`]
      if (chunk?.type !== 'chunk') throw new Error('The service worker was not built')
      const assets = Object.keys(bundle).filter(name => name.startsWith('assets/'))
      chunk.code = chunk.code.replaceAll('__ASSETS__', JSON.stringify(assets))
    },
  }
}
