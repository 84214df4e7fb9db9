// WebKitGTK, by its own WebDriver and its MiniBrowser.

import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { Builder, type WebDriver } from 'selenium-webdriver'
import { afterAll, beforeAll, describe, test, vi } from 'vitest'
import { type RunningServer, serveHarness, startDemoServer } from '../support/servers.ts'
import { smoke, smokeFreshReplica, type Tab } from './smoke.ts'

const DRIVER = ['/usr/bin/WebKitWebDriver'].find(existsSync)
const XVFB = ['/usr/bin/xvfb-run'].find(existsSync)
const MINI_BROWSER = [
  '/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser',
  '/usr/lib/aarch64-linux-gnu/webkit2gtk-4.1/MiniBrowser',
].find(existsSync)

describe.skipIf(!DRIVER || !XVFB || !MINI_BROWSER)(
  'WebKitGTK (left out where webkit2gtk-driver and xvfb are not installed)',
  () => {
    let server: RunningServer
    let site: RunningServer
    let driverProcess: ChildProcess
    let driverUrl: string
    beforeAll(async () => {
      server = await startDemoServer()
      site = await serveHarness({ syncServer: server.url })
      const port = await freePort()
      driverUrl = `http://127.0.0.1:${port}`
      driverProcess = spawn(XVFB!, ['-a', DRIVER!, `--port=${port}`], { detached: true, stdio: 'ignore' })
      await vi.waitFor(() => fetch(`${driverUrl}/status`), { timeout: 30_000 })
    })
    afterAll(async () => {
      if (driverProcess?.pid) process.kill(-driverProcess.pid, 'SIGKILL')
      await site?.close()
      await server?.close()
    })

    const newBrowser = (): Promise<WebDriver> =>
      new Builder()
        .usingServer(driverUrl)
        .withCapabilities({
          browserName: 'MiniBrowser',
          'webkitgtk:browserOptions': { binary: MINI_BROWSER, args: ['--automation'] },
        })
        .build()

    const tabIn = (driver: WebDriver, handle: string): Tab => {
      const focus = () => driver.switchTo().window(handle)
      return {
        open: async url => {
          await focus()
          await driver.get(url)
        },
        evaluate: async expression => {
          await focus()
          const answer = await driver.executeAsyncScript<{ value?: unknown; error?: string }>(
            `const done = arguments[arguments.length - 1];
           Promise.resolve().then(() => (${expression})).then(value => done({ value: value ?? null }), error => done({ error: String(error) }))`,
          )
          if (answer.error) throw new Error(answer.error)
          return answer.value as never
        },
      }
    }

    test('appends, chains, reloads, verifies, shares two tabs and syncs', async () => {
      const parts = { url: site.url, syncUrl: `${site.url}/sync`, storeId: 'webkit' }
      const driver = await newBrowser()
      await driver.manage().setTimeouts({ script: 60_000 })
      const first = await driver.getWindowHandle()
      await driver.switchTo().newWindow('tab')
      const second = await driver.getWindowHandle()
      await smoke({ ...parts, first: tabIn(driver, first), second: tabIn(driver, second) })
      await driver.quit()
      // Each session has a profile of its own.
      const fresh = await newBrowser()
      await fresh.manage().setTimeouts({ script: 60_000 })
      await smokeFreshReplica(tabIn(fresh, await fresh.getWindowHandle()), parts)
      await fresh.quit()
    })
  },
)

/** The driver does not say which port it took, so it is told one that was free just now. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise(resolve => server.close(resolve))
  return port
}
