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
  // Merged while they were appended.
  expect(await inHarness(pages[0]!, harness => harness.storedBlocks())).toBeLessThan(1500)
  const counted = () => inHarness(pages[0]!, harness => harness.counted())
  // What another tab appended is heard of a moment later.
  await expect.poll(async () => (await counted()).versions).toEqual(upTo(3000).map(n => n + 1))
  const { events } = await counted()
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
  for (const { backend, flag, mayDestroy } of [
    // Two kills can make it destroy the database: docs/decisions/0007.
    { backend: 'LevelDB', flag: '--disable-features=IdbSqliteBackingStore', mayDestroy: true },
    { backend: 'SQLite', flag: '--enable-features=IdbSqliteBackingStore', mayDestroy: false },
  ]) {
    test(`${ROUNDS} times on the ${backend} backend: every acknowledged event is there, and the chain verifies`, async () => {
      let profile = await newProfile()
      let acknowledged: string[] = []
      const setAside: string[] = []
      const destroyed: string[] = []

      for (const round of upTo(ROUNDS)) {
        const { page, kill } = await reopen()
        await appendUntilKilled(page, round, acknowledged, kill)
      }
      const { page, kill } = await reopen()
      expect(acknowledged.length + setAside.length).toBeGreaterThan(ROUNDS)
      const blocks = await inHarness(page, harness => harness.storedBlocks())
      // A log that had to be begun anew may have been too short to be merged.
      if (destroyed.length === 0) expect(blocks).toBeLessThan(acknowledged.length / 2)
      await kill()
      await rm(profile, { recursive: true, force: true })

      if (!mayDestroy) expect(destroyed).toEqual([])
      for (const report of destroyed) console.log(report)

      /** Opens and checks what the last kill left; begins anew if Chromium says that it destroyed that. */
      async function reopen(): Promise<OpenedProfile> {
        const opened = await openProfile(profile, flag)
        const destruction = await openUnlessDestroyed(opened.page)
        if (destruction === null) {
          await checkSurvivors(opened.page, acknowledged)
          return opened
        }
        destroyed.push(`Chromium destroyed ${acknowledged.length} acknowledged events. ${destruction}`)
        setAside.push(...acknowledged)
        await opened.kill()
        await rm(profile, { recursive: true, force: true })
        profile = await newProfile()
        acknowledged = []
        return reopen()
      }
    })
  }
})

type OpenedProfile = Readonly<{ page: Page; kill: () => Promise<void> }>

const newProfile = (): Promise<string> => mkdtemp(join(tmpdir(), 'streamdingo-profile-'))

async function openProfile(profile: string, flag: string): Promise<OpenedProfile> {
  const { browser, kill } = await launchProfile(profile, [flag])
  return { page: await browser.contexts()[0]!.newPage(), kill }
}

/** What Chromium said, where it destroyed the database. Whatever else keeps the store from opening is thrown. */
async function openUnlessDestroyed(page: Page): Promise<string | null> {
  try {
    await openHarness(page, site.url, 'crashes')
    return null
  } catch (error) {
    const refusal = await inHarness(page, harness => harness.refusal('crashes'))
    if (refusal?.problem !== 'data-loss' || !refusal.message.includes('database was corrupt')) throw error
    return refusal.message
  }
}

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
