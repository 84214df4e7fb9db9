// Firefox, by WebDriver BiDi.

import { existsSync } from 'node:fs'
import { type Browser, type BrowserContext, launch } from 'puppeteer-core'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { type RunningServer, serveHarness, startDemoServer } from '../support/servers.ts'
import { smoke, smokeFreshReplica, type Tab } from './smoke.ts'

const FIREFOX = process.env['FIREFOX_PATH'] ?? ['/usr/bin/firefox-esr', '/usr/bin/firefox'].find(existsSync)

describe.skipIf(!FIREFOX)(
  'Firefox (left out where neither FIREFOX_PATH nor /usr/bin/firefox-esr is there)',
  () => {
    let server: RunningServer
    let site: RunningServer
    let browser: Browser
    beforeAll(async () => {
      server = await startDemoServer()
      site = await serveHarness({ syncServer: server.url })
      browser = await launch({ browser: 'firefox', executablePath: FIREFOX!, headless: true })
    })
    afterAll(async () => {
      await browser?.close()
      await site?.close()
      await server?.close()
    })

    const newTab = async (context: BrowserContext): Promise<Tab> => {
      const page = await context.newPage()
      return {
        open: async url => void (await page.goto(url)),
        evaluate: expression => page.evaluate(expression) as never,
      }
    }

    test('appends, chains, reloads, verifies, shares two tabs and syncs', async () => {
      const parts = { url: site.url, syncUrl: `${site.url}/sync`, storeId: 'firefox' }
      const context = browser.defaultBrowserContext()
      await smoke({ ...parts, first: await newTab(context), second: await newTab(context) })
      await smokeFreshReplica(await newTab(await browser.createBrowserContext()), parts)
    })
  },
)
