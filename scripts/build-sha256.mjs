// Compiles the log's SHA-256 from AssemblyScript into a TypeScript file that holds the module as text, so that every
// tool just imports it. With --check it writes nothing and fails if that file is not what the sources make.

import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import asc from 'assemblyscript/asc'

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const FOLDER = 'src/log/sha256'
const MODULE = `${ROOT}/${FOLDER}/module.generated.ts`

const OPTIONS = ['-O3', '--enable', 'simd', '--runtime', 'stub', '--noAssert', '--use', 'abort=']

const made = sourceOf(await compile())
if (!process.argv.includes('--check')) {
  writeFileSync(MODULE, made)
} else if (readFileSync(MODULE, 'utf8') !== made) {
  console.error(
    `${FOLDER}/module.generated.ts is not what ${FOLDER}/assembly makes: run npm run build:sha256`,
  )
  process.exit(1)
}

/** The module's bytes. */
async function compile() {
  let binary
  const { error, stderr } = await asc.main(
    [`${FOLDER}/assembly/sha256.ts`, '--baseDir', ROOT, '--outFile', 'module.wasm', ...OPTIONS],
    {
      writeFile: (_, contents) => {
        binary = contents
      },
    },
  )
  if (error) throw new Error(stderr.toString(), { cause: error })
  return binary
}

function sourceOf(binary) {
  return `// The module that assembly/ makes, in base64. Made by scripts/build-sha256.mjs; do not edit.

export const MODULE =
  '${Buffer.from(binary).toString('base64')}'
`
}
