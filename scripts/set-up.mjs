// Sets up a fresh clone: dependencies and a browser. Plain Node, since it runs before anything is installed.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Runs a command in the project's folder, its output shown and no input given. Whether it succeeded. */
export function succeeds([program, ...args], env = {}) {
  const { status } = spawnSync(program, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
    // npm and npx are scripts of the shell there.
    shell: process.platform === 'win32',
  })
  return status === 0
}

/** Runs a command that nothing can go on without. */
export function run(command, env) {
  if (succeeds(command, env)) return
  console.error(`${command.join(' ')} failed`)
  process.exit(1)
}

/** Installs exactly what the lock file names, unless that is done already. */
export function installDependencies() {
  const lock = createHash('sha256')
    .update(readFileSync(`${ROOT}/package-lock.json`))
    .digest('hex')
  const stamp = `${ROOT}/node_modules/.streamdingo-lock`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  // Not `npm ci`: that refuses a lock file which lacks the binaries of other platforms, as one written on this one may.
  run(['npm', 'install', '--no-save', '--include=dev', '--no-audit', '--no-fund'])
  writeFileSync(stamp, lock)
}

const CHROMIUM_PATHS = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome-stable',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
]

/** Path of a Chromium: the one that CHROMIUM_PATH names, an installed one, or one that is installed now. */
export async function findChromium() {
  const named = process.env.CHROMIUM_PATH
  if (named && !existsSync(named)) throw new Error(`CHROMIUM_PATH names ${named}, which is not there`)
  const found = named || installedChromium() || (await playwrightChromium())
  if (found) return found
  console.log('No Chromium is installed: installing one')
  const installed = debianChromium() ?? (await downloadedChromium())
  if (installed) return installed
  throw new Error('No Chromium found. Install Chromium or Chrome, or set CHROMIUM_PATH')
}

function installedChromium() {
  return CHROMIUM_PATHS.find(path => existsSync(path))
}

async function playwrightChromium() {
  const { chromium } = await import('playwright-core')
  const path = chromium.executablePath()
  return existsSync(path) ? path : undefined
}

/** Before Playwright's, which comes without the libraries that it needs. */
function debianChromium() {
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) return undefined
  const env = { DEBIAN_FRONTEND: 'noninteractive' }
  succeeds(['apt-get', 'update'])
  succeeds(['apt-get', 'install', '-y', 'chromium'], env)
  return installedChromium()
}

async function downloadedChromium() {
  succeeds(['npx', 'playwright-core', 'install', 'chromium'])
  return playwrightChromium()
}
