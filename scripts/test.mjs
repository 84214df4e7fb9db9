// npm test: everything that has to hold, from a fresh clone. Ends with one line of counts for the whole.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findChromium, installDependencies, ROOT, succeeds } from './set-up.mjs'

/** Each a command whose exit code is the answer; counted as one test. */
const CHECKS = [
  ['style', ['npm', 'run', 'check:style']],
  ['types', ['npm', 'run', 'check:types']],
  ['ranks', ['npm', 'run', 'check:ranks']],
  // Before the build, which makes it anew.
  ['sha256 module', ['npm', 'run', 'check:sha256']],
  ['build', ['npm', 'run', 'build']],
  ['package', ['npm', 'run', 'check:package']],
]

/** Vitest runs: logic and browser together, since their coverage is one; the others have the machine to themselves. */
const SUITES = [
  ['unit and browser', ['--project', 'node', '--project', 'browser', '--coverage']],
  ['rules switched off', ['--project', 'mutations']],
  ['end to end', ['--project', 'e2e']],
]

installDependencies()
const env = { CHROMIUM_PATH: await findChromium() }

const totals = { passed: 0, failed: 0, skipped: 0 }
const leftOut = []
const broken = []
for (const [name, command] of CHECKS) check(name, command)
for (const [name, args] of SUITES) runSuite(name, args)

console.log('')
for (const one of leftOut) console.log(`left out: ${one}`)
for (const one of broken) console.log(`failed: ${one}`)
console.log(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`)
process.exit(totals.failed > 0 || totals.passed === 0 ? 1 : 0)

function check(name, command) {
  console.log(`\n--- check: ${name}`)
  if (succeeds(command, env)) totals.passed++
  else fail(`check: ${name}`)
}

function runSuite(name, args) {
  console.log(`\n--- tests: ${name}`)
  const folder = mkdtempSync(join(tmpdir(), 'streamdingo-report-'))
  const report = join(folder, 'report.json')
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`]
  const isFine = succeeds(['npx', 'vitest', 'run', ...args, ...reporters], env)
  const failedBefore = totals.failed
  for (const file of readReport(report)) countFile(file)
  rmSync(folder, { recursive: true, force: true })
  // Coverage below its bound, an unhandled error, a run that did not come to its end: no test counts these.
  if (!isFine && totals.failed === failedBefore) fail(`tests: ${name}`)
}

/** What ran, a file each; nothing when Vitest itself did not get so far, which its exit code tells. */
function readReport(report) {
  try {
    return JSON.parse(readFileSync(report, 'utf8')).testResults
  } catch {
    return []
  }
}

function countFile({ name: path, status: fileStatus, assertionResults }) {
  const file = path.replace(ROOT, '')
  // A file that does not load, or whose set-up fails, has no test that failed.
  if (fileStatus === 'failed' && !assertionResults.some(({ status }) => status === 'failed')) fail(file)
  for (const { status, fullName } of assertionResults) {
    const name = `${file}: ${fullName.trim()}`
    if (status === 'passed') totals.passed++
    else if (status === 'failed') fail(name)
    else {
      totals.skipped++
      leftOut.push(name)
    }
  }
}

function fail(name) {
  totals.failed++
  broken.push(name)
}
