// Which files the handlers of a module are made of, for a server that runs while they change.

import type { ViteDevServer } from 'vite'

export class UsedFiles {
  readonly #filesOf = new Map<string, ReadonlySet<string>>()

  set(module: string, files: ReadonlySet<string>): void {
    this.#filesOf.set(module, files)
  }

  /**
   * Vite takes what it made of a module as it was when something changes that the module imports: only the addresses of
   * imports are new. Here the code of the module depends on that of others.
   */
  watch({ watcher, environments }: Pick<ViteDevServer, 'watcher' | 'environments'>): void {
    watcher.on('change', changed => {
      for (const [module, files] of this.#filesOf) {
        if (!files.has(changed)) continue
        for (const { moduleGraph } of Object.values(environments)) {
          for (const node of moduleGraph.getModulesByFile(module) ?? []) moduleGraph.invalidateModule(node)
        }
      }
    })
  }
}
