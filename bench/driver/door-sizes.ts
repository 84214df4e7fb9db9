// How much a page and a worker load for StreamDingo: the built package, bundled and minified as an application does
// it, with all that it depends on.

import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build, type Rollup } from 'vite'
import packageJson from '../../package.json' with { type: 'json' }
import { type Row, rowsOf } from '../report/result.ts'

/** What is in a page, and what is in a worker. */
const DOORS = { 'the page': 'index', 'the worker': 'worker' }

export async function doorSizes(): Promise<Row[]> {
  const sizes = await Promise.all(
    Object.entries(DOORS).map(async ([name, door]) => {
      const code = await bundled(door)
      return {
        name: `${name}, minified, gzip`,
        unit: 'kB',
        value: gzipSync(code, { level: 9 }).length / 1_000,
      } as const
    }),
  )
  return rowsOf({ subject: 'StreamDingo', version: packageJson.version }, [sizes])
}

async function bundled(door: string): Promise<string> {
  const output = await build({
    configFile: false,
    logLevel: 'warn',
    build: {
      write: false,
      target: 'es2023',
      minify: true,
      // A library's build would keep its white space.
      rollupOptions: {
        input: fileURLToPath(new URL(`../../dist/${door}.js`, import.meta.url)),
        preserveEntrySignatures: 'strict',
      },
    },
  })
  const { output: chunks } = [output].flat()[0] as Rollup.RollupOutput
  return chunks.map(chunk => (chunk.type === 'chunk' ? chunk.code : '')).join('')
}
