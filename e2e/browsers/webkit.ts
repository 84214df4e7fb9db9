// WebKitGTK's MiniBrowser, driven over WebDriver on a virtual screen, since it has no headless mode.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Builder, type WebDriver } from 'selenium-webdriver'
import type { DrivenBrowser, Profile, Tab } from './driven-browser.ts'

const DRIVER = 'WebKitWebDriver'
const SCREEN = 'xvfb-run'
const BROWSER_FOLDERS = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/libexec']

const START_TIMEOUT_MS = 30_000
const SCRIPT_TIMEOUT_MS = 120_000

const binary = BROWSER_FOLDERS.map(folder => `${folder}/webkit2gtk-4.1/MiniBrowser`).find(existsSync)
const missingPrograms = [DRIVER, SCREEN].filter(program => !isOnPath(program))

export const webkit: DrivenBrowser = {
  name: 'WebKitGTK',
  missing: missingOf([...missingPrograms, ...(binary ? [] : ['MiniBrowser of webkit2gtk-4.1'])]),
  launch,
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some(folder => existsSync(join(folder, program)))
}

function missingOf(programs: readonly string[]): string | null {
  return programs.length === 0 ? null : `not installed: ${programs.join(', ')}`
}

/** One driver process a profile: it holds one session at a time. */
async function launch(): Promise<Profile> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  // A group of its own, since xvfb-run does not pass signals on.
  const group = spawn(SCREEN, ['-a', DRIVER, `--port=${port}`], { detached: true, stdio: 'ignore' })
  try {
    await untilReady(url, group)
    return profileOf(await startSession(url), () => end(group))
  } catch (error) {
    end(group)
    throw error
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
}

/** The driver says nowhere that it listens: it has to be asked. */
async function untilReady(url: string, group: ChildProcess): Promise<void> {
  const deadline = Date.now() + START_TIMEOUT_MS
  while (Date.now() < deadline && group.exitCode === null) {
    const answer = await fetch(`${url}/status`).catch(() => null)
    if (answer?.ok) return
    await wait(50)
  }
  throw new Error(`${DRIVER} did not start (exit code ${group.exitCode})`)
}

async function startSession(url: string): Promise<WebDriver> {
  const driver = await new Builder()
    .usingServer(url)
    .withCapabilities({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary, args: ['--automation'] },
    })
    .build()
  await driver.manage().setTimeouts({ script: SCRIPT_TIMEOUT_MS })
  return driver
}

function end({ pid }: ChildProcess): void {
  if (pid !== undefined) process.kill(-pid)
}

function profileOf(driver: WebDriver, endDriver: () => void): Profile {
  const inTurn = createTurns()
  let hasFirstTab = false
  return {
    newTab: () =>
      inTurn(async () => {
        // A window and not a tab: a tab behind another is hidden, and its timers are slowed down.
        if (hasFirstTab) await driver.switchTo().newWindow('window')
        hasFirstTab = true
        const handle = await driver.getWindowHandle()
        return tabOf(driver, work =>
          inTurn(async () => {
            await driver.switchTo().window(handle)
            return work()
          }),
        )
      }),
    async close() {
      await inTurn(() => driver.quit())
      endDriver()
    },
  }
}

type Turns = <T>(work: () => Promise<T>) => Promise<T>

/** A session has one current window, so whoever speaks to one must not be interrupted. */
function createTurns(): Turns {
  let last: Promise<unknown> = Promise.resolve()
  return work => {
    const turn = last.then(work)
    last = turn.catch(() => {})
    return turn
  }
}

function tabOf(driver: WebDriver, here: Turns): Tab {
  return {
    goto: url => here(() => driver.get(url)),
    reload: () => here(() => driver.navigate().refresh()),
    evaluate: expression => here(() => evaluate(driver, expression)),
  }
}

type Answer = Readonly<{ value: unknown } | { error: string }>

async function evaluate(driver: WebDriver, expression: string): Promise<unknown> {
  const answer = await driver.executeAsyncScript<Answer>(`
    const answer = arguments[arguments.length - 1]
    const value = (async () => (${expression}))()
    value.then(value => answer({ value }), error => answer({ error: String(error) }))`)
  if ('error' in answer) throw new Error(answer.error)
  return answer.value
}
