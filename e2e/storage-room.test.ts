// A disk without room, in Chromium, on the built package: told, read from, and written to again once there is some.

import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, openHarness } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness } from './support/servers.ts'

let site: RunningServer
let browser: Browser
beforeAll(async () => {
  site = await serveHarness()
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await site?.close()
})

test('a write that finds no room fails with the reason, reads go on, and so do writes once there is some', async () => {
  const page = await (await browser.newContext()).newPage()
  const cdp = await page.context().newCDPSession(page)
  const { origin } = new URL(site.url)
  // Before anything is written: Chromium remembers for a while how much room there was.
  await cdp.send('Storage.overrideQuotaForOrigin', { origin, quotaSize: 1_000_000 })
  await openHarness(page, site.url, 'room')
  await inHarness(page, harness => harness.count(0, 5))
  expect(await inHarness(page, harness => harness.storage())).toMatchObject({ isLow: false })
  const large = (): Promise<unknown> => inHarness(page, harness => harness.appendLarge(15_000))
  let refusal: unknown = null
  for (let n = 0; n < 10 && refusal === null; n++) refusal = await large()
  expect(refusal).toMatchObject({ code: 'storage-failed', problem: 'quota' })
  expect(await inHarness(page, harness => harness.storage())).toMatchObject({ isLow: true, problem: 'full' })
  expect((await inHarness(page, harness => harness.counted())).events).toHaveLength(5)
  await cdp.send('Storage.overrideQuotaForOrigin', { origin })
  expect(await large()).toBe(null)
  const { problem } = await inHarness(page, harness => harness.storage())
  expect(problem).not.toBe('full')
  expect(await inHarness(page, harness => harness.verify())).toMatchObject({ ok: true })
})
