// What one browser proves, another one believes: proofs of the built package, in Chromium.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, openHarness } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness } from './support/servers.ts'

let site: RunningServer
beforeAll(async () => {
  site = await serveHarness()
})
afterAll(() => site.close())

test("a stranger's page checks that an event is in a log, and that the log only grew", async () => {
  const browser = await launchChromium()
  const author = await (await browser.newContext()).newPage()
  const stranger = await (await browser.newContext()).newPage()
  await openHarness(author, site.url, 'proofs')
  await openHarness(stranger, site.url, 'proofs')
  await inHarness(author, harness => harness.count(0, 600))
  const inclusion = await inHarness(author, harness => harness.proveCounted(300))
  expect(inclusion).toMatchObject({ globalPosition: 300, treeSize: 600 })
  await inHarness(author, harness => harness.count(0, 50))
  const consistency = await inHarness(author, harness => harness.proveConsistency(600))
  expect(consistency).toMatchObject({ size1: 600, size2: 650, rootHash1: inclusion.rootHash })

  const judge = (given: typeof inclusion, grown: typeof consistency) =>
    inHarness(stranger, (harness, a, b) => harness.judge(a, b), given, grown)
  expect(await judge(inclusion, consistency)).toEqual([true, true])
  const otherRoot = consistency.rootHash2
  expect(
    await judge({ ...inclusion, rootHash: otherRoot }, { ...consistency, rootHash1: otherRoot }),
  ).toEqual([false, false])
  await browser.close()
})
