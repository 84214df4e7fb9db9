// Sets up a fresh clone: dependencies and a browser. Plain Node, since it runs before anything is installed.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

export const ROOT = fileURLToPath(new URL('..', import.meta.url))

/** Runs a command in the project's folder with its output shown; ends the process when it fails. */
export function run(command, args, env = {}) {
  const { status } = spawnSync(command, args, {
    cwd: ROOT,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...env },
  })
  if (status !== 0) {
    console.error(`${[command, ...args].join(' ')} failed`)
    process.exit(status ?? 1)
  }
}

/** Installs exactly what the lock file names, unless that is done already. */
export function installDependencies() {
  const lock = createHash('sha256')
    .update(readFileSync(`${ROOT}/package-lock.json`))
    .digest('hex')
  const stamp = `${ROOT}/node_modules/.streamdingo-lock`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  // Not `npm ci`: that refuses a lock file which lacks the binaries of other platforms, as one written on this one may.
  run('npm', ['install', '--no-save', '--no-audit', '--no-fund'])
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

/** Path of a Chromium: the one named by CHROMIUM_PATH, an installed one, Playwright's, or Debian's, in this order. */
export async function findChromium() {
  const named = process.env.CHROMIUM_PATH
  if (named) {
    if (existsSync(named)) return named
    throw new Error(`CHROMIUM_PATH names ${named}, which is not there`)
  }
  return CHROMIUM_PATHS.find(existsSync) ?? (await playwrightChromium()) ?? debianChromium()
}

async function playwrightChromium() {
  const { chromium } = await import('playwright-core')
  if (!existsSync(chromium.executablePath())) {
    console.log('No Chromium is installed: trying the one that Playwright brings')
    const cli = fileURLToPath(import.meta.resolve('playwright-core/cli.js', import.meta.url))
    spawnSync(process.execPath, [cli, 'install', 'chromium'], {
      cwd: ROOT,
      stdio: 'inherit',
      timeout: 300_000,
    })
  }
  return existsSync(chromium.executablePath()) ? chromium.executablePath() : undefined
}

function debianChromium() {
  if (existsSync('/etc/debian_version') && process.getuid?.() === 0) {
    run('apt-get', ['update'])
    run('apt-get', ['install', '-y', 'chromium'], { DEBIAN_FRONTEND: 'noninteractive' })
    const installed = CHROMIUM_PATHS.find(existsSync)
    if (installed) return installed
  }
  throw new Error('No Chromium found. Install Chromium or Chrome, or set CHROMIUM_PATH')
}
