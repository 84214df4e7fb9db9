// What the tests of faults share: the harness's site, a server that can be killed, a browser, and profiles in it.

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { launchChromium, openHarness } from '../support/chromium.ts'
import { inHarness } from '../support/in-harness.ts'
import { type RunningServer, serveHarness } from '../support/servers.ts'
import type { Account } from './check-ledger.ts'
import { type KillableServer, startKillableServer } from './killable-server.ts'

export type SyncWorld = Readonly<{
  site: () => RunningServer
  server: () => KillableServer
  /** A profile of its own, with the harness on its page. @param syncUrl Default: the server's */
  openProfile: (storeId: string, syncUrl?: string) => Promise<Profile>
  /** What a device has that has only read. */
  read: (storeId: string) => Promise<Account>
}>

export type Profile = Readonly<{ context: BrowserContext; page: Page }>

/** To be called once in a test file. */
export function useSyncWorld(): SyncWorld {
  let site: RunningServer
  let server: KillableServer
  let browser: Browser
  beforeAll(async () => {
    site = await serveHarness()
    server = await startKillableServer(site.url)
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser?.close()
    await server?.remove()
    await site?.close()
  })

  async function openProfile(storeId: string, syncUrl = server.url): Promise<Profile> {
    const context = await browser.newContext()
    const page = await context.newPage()
    await openHarness(page, site.url, storeId, syncUrl)
    return { context, page }
  }

  return {
    site: () => site,
    server: () => server,
    openProfile,
    async read(storeId) {
      const { context, page } = await openProfile(storeId)
      await isIdle(page)
      const account = await inHarness(page, harness => harness.account())
      await context.close()
      return account
    },
  }
}

export const statusOf = (page: Page) => inHarness(page, harness => harness.syncStatus())

export async function isIdle(page: Page, timeout = 60_000): Promise<void> {
  await expect.poll(() => statusOf(page), { timeout }).toMatchObject({ phase: 'idle', pending: 0 })
}

/** All pages have all that there is, at one place of the server's log. */
export async function areAtOnePlace(pages: readonly Page[], timeout = 90_000): Promise<void> {
  const look = async (): Promise<string> => {
    const all = await Promise.all(pages.map(statusOf))
    const { serverPosition } = all[0]!
    const isThere = all.every(one => one.pending === 0 && one.serverPosition === serverPosition)
    return isThere && all.every(({ phase }) => phase === 'idle') ? 'at one place' : JSON.stringify(all)
  }
  await expect.poll(look, { timeout }).toBe('at one place')
}
