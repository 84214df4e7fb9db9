// npm test: everything that has to hold, from a fresh clone. Ends with one line of counts for the whole.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findChromium, installDependencies, ROOT, run } from './set-up.mjs'

/** Each a command whose exit code is the answer; counted as one test. */
const CHECKS = [
  ['style', ['npm', 'run', 'check:style']],
  ['types', ['npm', 'run', 'check:types']],
  ['ranks', ['npm', 'run', 'check:ranks']],
  ['package', ['npm', 'run', 'check:package']],
]

/** Vitest runs: logic and browser together, since their coverage is one, then the whole thing as users get it. */
const SUITES = [
  ['unit and browser', ['--project', 'node', '--project', 'browser', '--coverage']],
  ['end to end', ['--project', 'e2e']],
]

installDependencies()
const env = { ...process.env, CHROMIUM_PATH: await findChromium() }
run('npm', ['run', 'build'])

const totals = { passed: 0, failed: 0, skipped: 0 }
const leftOut = []
for (const [name, command] of CHECKS) check(name, command)
for (const [name, args] of SUITES) runSuite(name, args)

for (const one of leftOut) console.log(`left out: ${one}`)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0)

function check(name, [command, ...args]) {
  console.log(`\n--- check: ${name}`)
  const isFine =
    spawnSync(command, args, { cwd: ROOT, stdio: ['ignore', 'inherit', 'inherit'], env }).status === 0
  totals[isFine ? 'passed' : 'failed']++
}

function runSuite(name, args) {
  console.log(`\n--- tests: ${name}`)
  const folder = mkdtempSync(join(tmpdir(), 'streamdingo-report-'))
  const report = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const { status } = spawnSync('npx', ['vitest', 'run', ...args, ...reporters], {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env,
  })
  const failedBefore = totals.failed
  count(report)
  rmSync(folder, { recursive: true, force: true })
  // Coverage below its bound, an unhandled error, a file that does not load: failures that no test counts.
  if (status !== 0 && totals.failed === failedBefore) totals.failed++
}

function count(report) {
  const { testResults = [] } = readReport(report)
  for (const { assertionResults } of testResults) {
    for (const { status, fullName, meta } of assertionResults) {
      if (status === 'passed') totals.passed++
      else if (status === 'failed') totals.failed++
      else {
        totals.skipped++
        leftOut.push(meta?.reason ? `${fullName} (${meta.reason})` : fullName)
      }
    }
  }
}

function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8'))
  } catch {
    // Vitest itself did not get so far; its exit code counts.
    return {}
  }
}
