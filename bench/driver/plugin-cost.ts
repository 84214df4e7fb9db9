// What the build plugin costs a project of 500 handlers that share 50 helpers: a build with it and without, and a change
// of one file while the dev server runs.

import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build, createServer, type Plugin } from 'vite'
import packageJson from '../../package.json' with { type: 'json' }
import { streamdingo } from '../../src/build/vite.ts'
import type { Measurement } from '../measurement.ts'
import { type Row, rowsOf } from '../report/result.ts'

const FILES = 100
const HANDLERS_A_FILE = 5
const HELPERS = 50

export async function pluginCost(rounds: number): Promise<Row[]> {
  const folder = await mkdtemp(join(tmpdir(), 'streamdingo-plugin-cost-'))
  try {
    await writeProject(folder)
    // The bundler itself is cold the first time.
    await buildMs(folder, [])
    const taken: Measurement[][] = []
    for (let round = 0; round < rounds; round++) taken.push(await measure(folder))
    return rowsOf({ subject: 'StreamDingo', version: packageJson.version }, taken)
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function measure(folder: string): Promise<Measurement[]> {
  const without = await buildMs(folder, [])
  const withPlugin = await buildMs(folder, [streamdingo({ report: false })])
  const [plain, hashed] = [
    await changeMs(folder, []),
    await changeMs(folder, [streamdingo({ report: false })]),
  ]
  return [
    { name: 'a cold build of 500 handlers', unit: 'ms', value: withPlugin, floor: without },
    { name: 'a changed handler, in the dev server', unit: 'ms', value: hashed.handler, floor: plain.handler },
    { name: 'a changed helper, in the dev server', unit: 'ms', value: hashed.helper, floor: plain.helper },
  ]
}

async function writeProject(folder: string): Promise<void> {
  await mkdir(join(folder, 'src'))
  const files = Array.from({ length: FILES }, (_, i) => i)
  await Promise.all([
    writeFile(join(folder, 'src/helpers.ts'), helpers(1)),
    ...files.map(i => writeFile(join(folder, `src/cart-${i}.ts`), definition(i))),
    writeFile(
      join(folder, 'src/app.ts'),
      files.map(i => `export { cart${i} } from './cart-${i}'\n`).join(''),
    ),
  ])
}

const helpers = (factor: number): string =>
  Array.from({ length: HELPERS }, (_, i) => {
    const next = i === 0 ? `n * ${factor}` : `helper${i - 1}(n) + ${i}`
    return `export function helper${i}(n: number): number {\n  return ${next}\n}\n`
  }).join('\n')

function definition(file: number): string {
  const used = Array.from({ length: HANDLERS_A_FILE }, (_, i) => (file * HANDLERS_A_FILE + i) % HELPERS)
  const handlers = used.map(
    (helper, i) =>
      `    Event${i}: (state: number, event: { data: number }) => state + helper${helper}(event.data),`,
  )
  const imports = [...new Set(used)].map(helper => `helper${helper}`).join(', ')
  return [
    `import { ${imports} } from './helpers'`,
    `export const cart${file} = {`,
    '  initialState: () => 0,',
    '  evolve: {',
    ...handlers,
    '  },',
    '}',
    '',
  ].join('\n')
}

async function buildMs(folder: string, plugins: Plugin[]): Promise<number> {
  const start = performance.now()
  await build({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    plugins,
    build: { write: false, lib: { entry: join(folder, 'src/app.ts'), formats: ['es'] } },
  })
  return performance.now() - start
}

/** Of one file with handlers: until it is there again after it was changed, or after a helper of it was. */
async function changeMs(
  folder: string,
  plugins: Plugin[],
): Promise<Readonly<{ handler: number; helper: number }>> {
  const server = await createServer({
    root: folder,
    configFile: false,
    logLevel: 'silent',
    server: { middlewareMode: true, ws: false, watch: { ignored: '**' } },
    optimizeDeps: { noDiscovery: true },
    plugins,
  })
  const get = (file: string) => server.transformRequest(`/src/${file}`)
  const timeOf = async (file: string, content: string): Promise<number> => {
    const before = await get('cart-7.ts')
    await writeFile(join(folder, 'src', file), content)
    const start = performance.now()
    server.watcher.emit('change', join(folder, 'src', file))
    await get(file)
    const after = await get('cart-7.ts')
    const ms = performance.now() - start
    if (plugins.length > 0 && before?.code === after?.code)
      throw new Error(`A change of ${file} was not seen`)
    return ms
  }
  try {
    for (let i = 0; i < FILES; i++) await get(`cart-${i}.ts`)
    const handler = await timeOf('cart-7.ts', definition(7).replace('state +', 'state -'))
    const helper = await timeOf('helpers.ts', helpers(2))
    await timeOf('cart-7.ts', definition(7))
    await timeOf('helpers.ts', helpers(1))
    return { handler, helper }
  } finally {
    await server.close()
  }
}
