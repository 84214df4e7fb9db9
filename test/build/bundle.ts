// Builds an application with the plugin, by whichever bundler, and says what it wrote beside the handlers.

import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { build as esbuild } from 'esbuild'
import { build, createServer } from 'vite'
import { streamdingo as unplugin } from '../../src/build/index.ts'
import { streamdingo } from '../../src/build/vite.ts'
import type { Sources } from './edits.ts'

export type HandlerCode = Readonly<{
  hasher: number
  base: string
  handlers: Readonly<Record<string, string>>
}>

export async function inFolder<T>(sources: Sources, work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'streamdingo-build-')))
  try {
    await write(folder, sources)
    return await work(folder)
  } finally {
    await rm(folder, { recursive: true })
  }
}

export async function write(folder: string, sources: Sources): Promise<void> {
  for (const [name, content] of Object.entries(sources)) {
    const path = join(folder, name)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, content)
  }
}

/** What stands in built code, by the first definition in it. */
export function handlerCodeIn(code: string): HandlerCode | null {
  const found = /handlerCode: (\{[\s\S]*?\}\s*\})/.exec(code)?.[1]
  return found === undefined ? null : (new Function(`return ${found}`)() as HandlerCode)
}

export type Builder = (
  folder: string,
  entry?: string,
  onUnknown?: (message: string) => void,
) => Promise<string>

export const byVite: Builder = async (folder, entry = 'app.ts', onUnknown) => {
  const built = await build({
    root: folder,
    logLevel: 'silent',
    plugins: [streamdingo(onUnknown && { onUnknown })],
    build: { write: false, minify: false, lib: { entry: join(folder, entry), formats: ['es'] } },
  })
  const [first] = Array.isArray(built) ? built : [built]
  if (!first || !('output' in first)) throw new Error('nothing was built')
  return first.output.map(one => (one.type === 'chunk' ? one.code : '')).join('\n')
}

export const byViteDev: Builder = (folder, entry = 'app.ts') => withDevServer(folder, get => get(entry))

/** @param work is given what the server says of a file, and how to change one while it runs */
export async function withDevServer<T>(
  folder: string,
  work: (get: (file: string) => Promise<string>, change: (sources: Sources) => Promise<void>) => Promise<T>,
): Promise<T> {
  const server = await createServer({
    root: folder,
    logLevel: 'silent',
    configFile: false,
    server: { middlewareMode: true, ws: false, watch: null },
    optimizeDeps: { noDiscovery: true },
    plugins: [streamdingo()],
  })
  const change = async (sources: Sources): Promise<void> => {
    await write(folder, sources)
    // As its watcher does.
    for (const file of Object.keys(sources)) server.moduleGraph.onFileChange(join(folder, file))
  }
  try {
    return await work(async file => (await server.transformRequest(`/${file}`))?.code ?? '', change)
  } finally {
    await server.close()
  }
}

export const byEsbuild: Builder = async (folder, entry = 'app.ts') => {
  const built = await esbuild({
    entryPoints: [join(folder, entry)],
    bundle: true,
    write: false,
    format: 'esm',
    logLevel: 'silent',
    plugins: [unplugin.esbuild({})],
  })
  return built.outputFiles[0]!.text
}
