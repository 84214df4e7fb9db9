// What a store promises when tabs crowd and browsers die, on the built package in Chromium.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { launchChromium, launchProfile, openHarness } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness } from './support/servers.ts'

let site: RunningServer
beforeAll(async () => {
  site = await serveHarness()
})
afterAll(() => site.close())

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

test('6 tabs append 500 events each to one stream: none lost, none doubled, each tab in its own order', async () => {
  const browser = await launchChromium()
  const context = await browser.newContext()
  const pages = await Promise.all(upTo(6).map(() => context.newPage()))
  for (const page of pages) await openHarness(page, site.url, 'tabs')
  await Promise.all(pages.map((page, tab) => inHarness(page, (harness, n) => harness.count(n, 500), tab)))
  const { versions, events } = await inHarness(pages[0]!, harness => harness.counted())
  expect(versions).toEqual(upTo(3000).map(n => n + 1))
  for (const tab of upTo(6)) {
    expect(events.filter(event => event.startsWith(`${tab}/`))).toEqual(upTo(500).map(n => `${tab}/${n}`))
  }
  for (const page of pages) {
    expect(await inHarness(page, harness => harness.verify())).toMatchObject({ ok: true, events: 3000 })
  }
  await browser.close()
})

describe('SIGKILL of the browser in mid-append', () => {
  const ROUNDS = 20
  for (const [backend, flags] of [
    ['LevelDB', []],
    ['SQLite', ['--enable-features=IdbSqliteBackingStore']],
  ] as const) {
    test(`${ROUNDS} times on the ${backend} backend: every acknowledged event is there, and the chain verifies`, async () => {
      const profile = await mkdtemp(join(tmpdir(), 'streamdingo-profile-'))
      const acknowledged: string[] = []
      for (const round of upTo(ROUNDS)) {
        const { browser, kill } = await launchProfile(profile, flags)
        const page = await browser.contexts()[0]!.newPage()
        await openHarness(page, site.url, 'crashes')
        await checkSurvivors(page, acknowledged)
        await appendUntilKilled(page, round, acknowledged, kill)
      }
      const { browser, kill } = await launchProfile(profile, flags)
      const page = await browser.contexts()[0]!.newPage()
      await openHarness(page, site.url, 'crashes')
      await checkSurvivors(page, acknowledged)
      expect(acknowledged.length).toBeGreaterThan(ROUNDS)
      await kill()
      await rm(profile, { recursive: true, force: true })
    })
  }
})

async function checkSurvivors(page: Page, acknowledged: readonly string[]): Promise<void> {
  const { versions, events } = await inHarness(page, harness => harness.counted())
  expect(versions).toEqual(upTo(events.length).map(n => n + 1))
  const stored = new Set(events)
  expect(stored.size).toBe(events.length)
  expect(acknowledged.filter(event => !stored.has(event))).toEqual([])
  expect(await inHarness(page, harness => harness.verify())).toMatchObject({
    ok: true,
    events: events.length,
  })
}

/** Kills the browser at some acknowledgement, another one each round. */
async function appendUntilKilled(
  page: Page,
  round: number,
  acknowledged: string[],
  kill: () => Promise<void>,
): Promise<void> {
  const enough = 5 + ((round * 37) % 60)
  let count = 0
  const killed = new Promise<void>((resolve, reject) => {
    const onAcknowledged = (n: number): void => {
      acknowledged.push(`${round}/${n}`)
      if (++count === enough) kill().then(resolve, reject)
    }
    page.exposeFunction('acknowledge', onAcknowledged).then(() => {
      const step = `globalThis.harness.count(${round}, 100000, n => globalThis.acknowledge(n))`
      // The page dies while it runs.
      page.evaluate(step).catch(() => {})
    }, reject)
  })
  await killed
}
