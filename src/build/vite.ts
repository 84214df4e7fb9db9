// The plugin for Vite: in the page's bundle, and in those of workers, where handlers run.

import type { Plugin } from 'vite'
import { streamdingo as plugins, type StreamDingoPluginOptions } from './plugin.ts'

export type { StreamDingoPluginOptions } from './plugin.ts'

/**
 * Hashes the code of handlers, with all that it uses, so that a changed one is known: in `vite dev`, `vite build` and
 * workers. Fails the build where a handler reads the clock, draws by chance or asks the world around it.
 */
export function streamdingo(options: StreamDingoPluginOptions = {}): Plugin {
  const create = () => plugins.vite(options) as Plugin
  return {
    ...create(),
    config: ({ worker }) => ({
      worker: { plugins: () => [...(worker?.plugins?.() ?? []), create()] },
    }),
  }
}
