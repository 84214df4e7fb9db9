// A database that was wiped, cut or rolled back is known as such, in Chromium, on the built package.

import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, openHarness } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness, startDemoServer } from './support/servers.ts'

let server: RunningServer
let site: RunningServer
let browser: Browser
beforeAll(async () => {
  server = await startDemoServer()
  site = await serveHarness({ syncServer: server.url })
  browser = await launchChromium()
})
afterAll(async () => {
  await browser?.close()
  await site?.close()
  await server?.close()
})

const newPage = async (): Promise<Page> => (await browser.newContext()).newPage()

const wipe = (page: Page): Promise<void> =>
  inHarness(page, harness => harness.close().then(() => harness.deleteDatabase()))

test('wiped: told with what was in it, and signed by another key from then on', async () => {
  const page = await newPage()
  await openHarness(page, site.url, 'wiped')
  await inHarness(page, harness => harness.count(0, 30))
  const before = await inHarness(page, harness => harness.checkpoint())
  expect(before).toMatchObject({ size: 30, signing: { status: 'signed' } })
  await page.reload()
  await openHarness(page, site.url, 'wiped')
  expect(await inHarness(page, harness => harness.checkpoint())).toEqual(before)
  expect(await inHarness(page, harness => harness.verdicts())).toEqual([])

  await wipe(page)
  await openHarness(page, site.url, 'wiped')
  const [verdict] = await inHarness(page, harness => harness.verdicts())
  expect(verdict).toMatchObject({ finding: 'wiped', action: 'went-on', atRisk: { events: 30, unsynced: 30 } })
  await inHarness(page, harness => harness.count(0, 10))
  const after = await inHarness(page, harness => harness.checkpoint())
  // The verdict is an entry of the log, too.
  expect(after).toMatchObject({ size: 11, signing: { status: 'signed' } })
  expect(after.origin).not.toBe(before.origin)
})

test('wiped: what the server had comes again', async () => {
  const page = await newPage()
  const url = `${site.url}/sync`
  await openHarness(page, site.url, 'again', url)
  await inHarness(page, harness => harness.count(0, 30))
  await inHarness(page, harness => harness.synced(30))
  await wipe(page)
  await openHarness(page, site.url, 'again', url)
  const [verdict] = await inHarness(page, harness => harness.verdicts())
  expect(verdict).toMatchObject({ finding: 'wiped', action: 'fetched-again' })
  expect(verdict!.atRisk.unsynced).toBe(0)
  await inHarness(page, harness => harness.synced(30))
  const { events } = await inHarness(page, harness => harness.counted())
  expect(events).toHaveLength(30)
})

test('rolled back with all that the device keeps beside it: the witness remembers', async () => {
  const page = await newPage()
  const url = `${site.url}/sync`
  const open = () => openHarness(page, site.url, 'rolled-back', url)
  const close = () => inHarness(page, harness => harness.close())
  await open()
  await inHarness(page, harness => harness.count(0, 20))
  await inHarness(page, harness => harness.witnessed(20))
  await close()
  await inHarness(page, harness => harness.backUp())
  await inHarness(page, (harness, address) => harness.open('rolled-back', address), url)
  await inHarness(page, harness => harness.count(1, 20))
  await inHarness(page, harness => harness.witnessed(40))
  await close()
  await inHarness(page, harness => harness.restore())
  await inHarness(page, (harness, address) => harness.open('rolled-back', address), url)
  expect(await inHarness(page, harness => harness.verdict())).toMatchObject({ action: 'new-identity' })
  // What was confirmed is there again, and the log is witnessed under its new name.
  await inHarness(page, harness => harness.synced(40))
  const { events } = await inHarness(page, harness => harness.counted())
  expect(events).toHaveLength(40)
  await inHarness(page, harness => harness.count(2, 5))
  await inHarness(page, harness => harness.witnessed(45))
})
