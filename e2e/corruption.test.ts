// Thousands of changed bytes and bits in stored blocks and in what is kept beside them, through the real IndexedDB: each
// is found where it is, or does no harm. CORRUPTIONS=10000 makes as many; a run of the tests makes some.

import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchChromium, openHarness } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness } from './support/servers.ts'

const CHANGES = Number(process.env['CORRUPTIONS'] ?? 1_000)
const SEED = Number(process.env['CORRUPTION_SEED'] ?? 20_261_124)
/** Changes between two looks at the page. */
const PART = 100

let site: RunningServer
beforeAll(async () => {
  site = await serveHarness()
})
afterAll(() => site.close())

test(`${CHANGES} changes of stored bytes, seed ${SEED}: none unseen, none misplaced`, {
  timeout: 60_000 + CHANGES * 100,
}, async () => {
  const browser = await launchChromium()
  const page = await (await browser.newContext()).newPage()
  await openHarness(page, site.url, 'corruption')
  const counts: Record<string, number> = {}
  for (let done = 0; done < CHANGES; done += PART) {
    const part = Math.min(PART, CHANGES - done)
    const outcomes = await inHarness(page, (harness, seed, n) => harness.corrupt(seed, n), SEED + done, part)
    expect(outcomes.wrong).toEqual([])
    for (const [what, count] of Object.entries(outcomes.counts)) counts[what] = (counts[what] ?? 0) + count
  }
  console.log(
    Object.entries(counts)
      .toSorted()
      .map(([what, count]) => `${what}: ${count}`)
      .join('\n'),
  )
  const found = Object.entries(counts).filter(([what]) => /^block: verify/.test(what))
  expect(found.length).toBeGreaterThan(0)
  await browser.close()
})
