// Runs some tests on the source with one rule switched off: the one whose number stands in MUTATION. Without it, all of
// those tests on the source as it is.

import { fileURLToPath } from 'node:url'
import { defineConfig } from 'vitest/config'
import { MUTATIONS } from './mutations.ts'

const ROOT = fileURLToPath(new URL('../..', import.meta.url))
const mutation = MUTATIONS[Number(process.env['MUTATION'] ?? Number.NaN)]
const tests = mutation?.tests ?? new Set(MUTATIONS.flatMap(one => one.tests))

export default defineConfig({
  root: ROOT,
  plugins: [
    {
      name: 'mutate',
      enforce: 'pre',
      transform(code, id) {
        if (!mutation || id !== ROOT + mutation.file) return null
        const { file, find, replace } = mutation
        if (code.split(find).length !== 2) throw new Error(`“${find}” does not stand once in ${file}`)
        return { code: code.replace(find, () => replace), map: null }
      },
    },
  ],
  // Those that notice soon fail, and the others need not run.
  test: { include: [...tests], bail: 1, testTimeout: 60_000, fileParallelism: false },
})
