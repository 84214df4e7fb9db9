// The pages of the bench: each subject built by itself, so that nothing of another is in its bundle, and all of them
// served on this machine, isolated from other origins, which is what exact clocks and the memory's measure ask for.

import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { build, preview } from 'vite'
import { packageAliases } from '../../scripts/package-aliases.mjs'
import { streamdingo } from '../../src/build/vite.ts'

const at = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url))

// Outside of what is checked and published.
const OUT = at('../.tmp/bench')

export type Site = Readonly<{ url: string; close: () => Promise<void> }>

export type SiteOptions = Readonly<{
  subjects: readonly string[]
  hasScenarios: boolean
  /** Functions keep their names and places: for a profile. */
  isReadable?: boolean
}>

/** Names of the files in a folder of the bench that export a subject, or a scenario. */
export async function namesIn(folder: 'subjects' | 'scenarios'): Promise<string[]> {
  const isExport = folder === 'subjects' ? /^export const subject\b/m : /^export const scenario\b/m
  const names: string[] = []
  for (const file of (await readdir(at(folder))).sort()) {
    if (!file.endsWith('.ts') || !isExport.test(await readFile(at(`${folder}/${file}`), 'utf8'))) continue
    names.push(file.slice(0, -'.ts'.length))
  }
  return names
}

/** Builds the package as `npm run build` does, then the pages on it. */
export async function buildSite({ subjects, hasScenarios, isReadable = false }: SiteOptions): Promise<void> {
  await build({ root: at('..'), configFile: at('../vite.config.ts'), logLevel: 'warn' })
  await rm(OUT, { recursive: true, force: true })
  for (const subject of subjects)
    await buildPage({ page: 'subject', folder: `subjects/${subject}`, subject, isReadable })
  if (hasScenarios) await buildPage({ page: 'scenario', folder: 'scenarios', isReadable })
  await buildPage({ page: 'menu', folder: 'menu', isReadable })
  const catalogue = { subjects, scenarios: hasScenarios ? await namesIn('scenarios') : [] }
  await writeFile(`${OUT}/catalogue.json`, JSON.stringify(catalogue))
}

/** `syncServer` is reached under the pages' own origin, at `/sync`. */
export async function serveSite(syncServer?: string): Promise<Site> {
  const server = await preview({
    root: at('.'),
    configFile: false,
    logLevel: 'warn',
    build: { outDir: OUT },
    appType: 'mpa',
    preview: {
      host: '127.0.0.1',
      port: 0,
      headers: {
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
      },
      ...(syncServer && { proxy: { '/sync': syncServer } }),
    },
  })
  const address = server.httpServer.address()
  if (typeof address !== 'object' || !address) throw new Error('The bench has no port')
  return { url: `http://127.0.0.1:${address.port}`, close: () => server.close() }
}

type PageBuild = Readonly<{ page: string; folder: string; subject?: string; isReadable: boolean }>

async function buildPage({ page, folder, subject, isReadable }: PageBuild): Promise<void> {
  await build({
    root: at('page'),
    configFile: false,
    logLevel: 'warn',
    base: './',
    mode: 'production',
    resolve: {
      alias: [
        ...packageAliases('dist'),
        ...(subject ? [{ find: 'bench:subject', replacement: at(`subjects/${subject}.ts`) }] : []),
      ],
    },
    worker: { format: 'es' },
    // Definitions that are put together while the code runs are meant here.
    plugins: [streamdingo({ report: false, onUnknown: () => {} })],
    build: {
      outDir: `${OUT}/${folder}`,
      emptyOutDir: false,
      target: 'es2023',
      minify: !isReadable,
      chunkSizeWarningLimit: 10_000,
      rollupOptions: { input: at(`page/${page}.html`) },
    },
  })
}
