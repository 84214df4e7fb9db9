// Chromium under test: in a context of its own, or as a process with a profile on disk that can be killed.

import { type ChildProcess, spawn } from 'node:child_process'
import { type Browser, chromium, type Page } from 'playwright-core'
import { inHarness } from './in-harness.ts'

export const CHROMIUM_PATH = process.env['CHROMIUM_PATH'] ?? '/usr/bin/chromium'

export const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--disable-quic',
  '--no-first-run',
]

export function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: CHROMIUM_PATH, args: [...CHROMIUM_FLAGS, ...flags] })
}

/** A browser on a profile folder. `kill` ends every process of it at once, as a crash of the machine's owner would. */
export type ProfileBrowser = Readonly<{ browser: Browser; kill: () => Promise<void> }>

export async function launchProfile(
  userDataDir: string,
  flags: readonly string[] = [],
): Promise<ProfileBrowser> {
  const child = spawn(
    CHROMIUM_PATH,
    [
      '--headless=new',
      '--remote-debugging-port=0',
      `--user-data-dir=${userDataDir}`,
      ...CHROMIUM_FLAGS,
      ...flags,
      // Of the page that it opens by itself the driver sometimes never hears that it is attached.
      'about:blank',
    ],
    { detached: true, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const browser = await chromium.connectOverCDP(await endpointOf(child))
  const gone = new Promise<void>(resolve => child.once('exit', () => resolve()))
  return {
    browser,
    kill: async () => {
      process.kill(-child.pid!, 'SIGKILL')
      await gone
    },
  }
}

/** Opens the harness on a page; what the page throws fails the test that calls into it. */
export async function openHarness(page: Page, url: string, storeId: string, syncUrl?: string): Promise<void> {
  await page.goto(url)
  await page.waitForFunction(() => 'harness' in globalThis)
  await inHarness(page, (harness, id, url) => harness.open(id, url ?? undefined), storeId, syncUrl ?? null)
}

function endpointOf(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = ''
    child.stderr!.on('data', chunk => {
      output += String(chunk)
      const endpoint = /DevTools listening on (ws:\S+)/.exec(output)?.[1]
      if (endpoint) resolve(endpoint)
    })
    child.once('exit', code => reject(new Error(`Chromium ended with ${code}: ${output}`)))
  })
}
