// The command of the built package, as npx runs it.

import { expect, test } from 'vitest'
import { launchChromium, openHarness } from './support/chromium.ts'
import { streamdingo } from './support/cli.ts'
import { inHarness } from './support/in-harness.ts'
import { serveHarness } from './support/servers.ts'

test('a proof from a browser is verified on the command line, and a forged one is not', async () => {
  const site = await serveHarness()
  const browser = await launchChromium()
  const page = await (await browser.newContext()).newPage()
  await openHarness(page, site.url, 'cli')
  await inHarness(page, harness => harness.count(0, 300))
  const { proof, key } = await inHarness(page, harness => harness.exportCounted(100))
  await browser.close()
  await site.close()
  const good = await streamdingo(['verify', '-', '--key', key], proof)
  expect(good.code).toBe(0)
  expect(good.out).toContain('version 100 of stream “counter-1”')
  expect((await streamdingo(['verify', '-'], proof)).code).toBe(4)
  expect((await streamdingo(['verify', '-', '--key', key], proof.replace('index 99', 'index 98'))).code).toBe(
    1,
  )
  expect((await streamdingo(['verify'], '')).code).toBe(2)
  expect((await streamdingo(['verify', '/nothing'], '')).code).toBe(3)
})
