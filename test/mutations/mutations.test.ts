// Each rule of verification is switched off in turn: a rule whose absence no test notices guards nothing.

import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { MUTATIONS } from './mutations.ts'

const CONFIG = fileURLToPath(new URL('vitest.config.ts', import.meta.url))
const VITEST = fileURLToPath(new URL('../../node_modules/vitest/vitest.mjs', import.meta.url))

type Report = Readonly<{
  numPassedTests: number
  numFailedTests: number
  testResults: readonly Readonly<{
    assertionResults: readonly Readonly<{
      status: string
      fullName: string
      failureMessages: readonly string[]
    }>[]
  }>[]
}>

/** What the tests say of the source with a rule switched off; with all rules, what those of all rules say. */
async function runMutated(mutation?: number): Promise<Report> {
  const folder = await mkdtemp(join(tmpdir(), 'streamdingo-mutation-'))
  const path = join(folder, 'report.json')
  const args = [VITEST, 'run', '--config', CONFIG, '--reporter=json', `--outputFile=${path}`]
  // The outer run is not to be taken for its own.
  const { VITEST: _, VITEST_POOL_ID: __, VITEST_WORKER_ID: ___, ...env } = process.env
  try {
    await new Promise<void>(resolve => {
      execFile(
        process.execPath,
        args,
        { env: { ...env, ...(mutation !== undefined && { MUTATION: String(mutation) }) } },
        () => resolve(),
      )
    })
    return JSON.parse(await readFile(path, 'utf8')) as Report
  } finally {
    await rm(folder, { recursive: true })
  }
}

test('with all rules, the tests pass', { timeout: 300_000 }, async () => {
  const { numPassedTests, testResults } = await runMutated()
  const failed = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status === 'failed'),
  )
  expect(failed).toEqual([])
  expect(numPassedTests).toBeGreaterThan(MUTATIONS.length)
})

test.each(MUTATIONS.map(({ rule, file }, n) => ({ rule, file, n })))(
  '$rule ($file)',
  {
    timeout: 120_000,
  },
  async ({ n }) => {
    // A file that does not even load has no failed test.
    expect((await runMutated(n)).numFailedTests).toBeGreaterThan(0)
  },
)
