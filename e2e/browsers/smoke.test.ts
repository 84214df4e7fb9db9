// The same run in browsers other than Chromium: what a store promises holds where IndexedDB, locks, channels and
// workers are somebody else's.

import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Harness } from '../harness/main.ts'
import { inHarness } from '../support/in-harness.ts'
import { type RunningServer, serveHarness, startDemoServer } from '../support/servers.ts'
import type { Profile, Tab } from './driven-browser.ts'
import { firefox } from './firefox.ts'
import { webkit } from './webkit.ts'

const SYNC_DEADLINE_MS = 60_000

for (const { name, missing, launch } of [firefox, webkit]) {
  describe.skipIf(missing)(missing ? `${name} (left out: ${missing})` : name, () => {
    let server: RunningServer
    let site: RunningServer
    let profile: Profile
    beforeAll(async () => {
      server = await startDemoServer()
      site = await serveHarness({ syncServer: server.url })
      profile = await launch()
    })
    afterAll(async () => {
      await profile?.close()
      await site?.close()
      await server?.close()
    })

    test('appends, folds and links, and has it all after a reload', async () => {
      const tab = await openTab(profile, 'reload')
      await inHarness(tab, harness => harness.count(0, 20))
      await tab.reload()
      await openStore(tab, 'reload')
      expect(await inHarness(tab, harness => harness.counted())).toMatchObject({ events: counts(0, 20) })
      expect(await inHarness(tab, harness => harness.total())).toBe(20)
      expect(await inHarness(tab, harness => harness.verify())).toMatchObject({ ok: true, events: 20 })
    })

    test('lets two tabs append to one stream: none lost, none doubled, each in its own order', async () => {
      const tabs = [await openTab(profile, 'tabs'), await openTab(profile, 'tabs')] as const
      for (const [n, tab] of tabs.entries()) await inHarness(tab, startCounting, n)
      for (const tab of tabs) await tab.evaluate('globalThis.counting')
      for (const tab of tabs) {
        const counted = () => inHarness(tab, harness => harness.counted())
        // What another tab appended is heard of a moment later.
        await expect.poll(async () => (await counted()).versions).toEqual(upTo(200).map(n => n + 1))
        const { events } = await counted()
        const of = (n: number): string[] => events.filter(event => event.startsWith(`${n}/`))
        expect([of(0), of(1)]).toEqual([counts(0, 100), counts(1, 100)])
        expect(await inHarness(tab, harness => harness.verify())).toMatchObject({ ok: true, events: 200 })
      }
    })

    test('signs its checkpoints with a key that it keeps, and knows a database that was wiped', async () => {
      const tab = await openTab(profile, 'wiped')
      await inHarness(tab, harness => harness.count(0, 20))
      const checkpoint = await inHarness(tab, harness => harness.checkpoint())
      expect(checkpoint.signing).toEqual({ status: 'signed', verifierKey: expect.any(String) })
      expect(checkpoint.size).toBe(20)
      await tab.reload()
      await openStore(tab, 'wiped')
      expect(await inHarness(tab, harness => harness.checkpoint())).toEqual(checkpoint)
      expect(await inHarness(tab, harness => harness.verdicts())).toEqual([])
      await inHarness(tab, harness => harness.close().then(() => harness.deleteDatabase()))
      await openStore(tab, 'wiped')
      const wiped = { finding: 'wiped', atRisk: { events: 20, unsynced: 20 } }
      expect(await inHarness(tab, harness => harness.verdicts())).toMatchObject([wiped])
    })

    test('syncs with another profile through a server, both ways', async () => {
      const other = await launch()
      try {
        const here = await openTab(profile, 'sync', `${site.url}/sync`)
        await inHarness(here, harness => harness.count(0, 10))
        await untilSynced(here, 10)

        const there = await openTab(other, 'sync')
        expect(await inHarness(there, harness => harness.counted())).toMatchObject({ events: [] })
        await there.reload()
        await openStore(there, 'sync', `${site.url}/sync`)
        await untilSynced(there, 10)
        await inHarness(there, harness => harness.count(1, 10))
        await untilSynced(there, 20)

        await untilSynced(here, 20)
        for (const tab of [here, there]) {
          const { events } = await inHarness(tab, harness => harness.counted())
          expect(events).toEqual([...counts(0, 10), ...counts(1, 10)])
          expect(await inHarness(tab, harness => harness.verify())).toMatchObject({ ok: true })
        }
      } finally {
        await other.close()
      }
    })

    async function openTab(within: Profile, storeId: string, syncUrl?: string): Promise<Tab> {
      const tab = await within.newTab()
      await tab.goto(site.url)
      await openStore(tab, storeId, syncUrl)
      return tab
    }
  })
}

function openStore(tab: Tab, storeId: string, syncUrl: string | null = null): Promise<void> {
  return inHarness(tab, (harness, id, url) => harness.open(id, url ?? undefined), storeId, syncUrl)
}

/** Rejects with where sync stands when it takes too long: that tells more than a test's timeout. */
function untilSynced(tab: Tab, position: number): Promise<void> {
  return inHarness(
    tab,
    async (harness, atLeast, deadlineMs) => {
      const late = new Promise<never>((_, reject) => {
        const standing = () => reject(new Error(JSON.stringify(harness.syncStatus())))
        setTimeout(standing, deadlineMs)
      })
      await Promise.race([harness.synced(atLeast), late])
    },
    position,
    SYNC_DEADLINE_MS,
  )
}

/** Without waiting for it, so that another tab can count meanwhile. */
function startCounting(harness: Harness, tab: number): void {
  Object.assign(globalThis, { counting: harness.count(tab, 100) })
}

function counts(tab: number, events: number): string[] {
  return upTo(events).map(n => `${tab}/${n}`)
}

function upTo(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i)
}
