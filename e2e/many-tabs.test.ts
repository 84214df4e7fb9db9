// Tabs that lead sync and are killed or frozen, tabs of two releases, and pages of one shared worker: the built package in
// Chromium.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Browser, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium, launchProfile, type ProfileBrowser } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { crash, freezeProcessOf } from './support/renderers.ts'
import { type RunningServer, serveHarness, startDemoServer } from './support/servers.ts'

type Kind = 'own' | 'shared' | 'other-release'

let server: RunningServer
let site: RunningServer
let elsewhere: Browser
let profile: string
let tabs: ProfileBrowser

beforeAll(async () => {
  server = await startDemoServer()
  site = await serveHarness({ syncServer: server.url })
  elsewhere = await launchChromium()
})
afterAll(async () => {
  await elsewhere.close()
  await site.close()
  await server.close()
})
beforeEach(async () => {
  profile = await mkdtemp(join(tmpdir(), 'streamdingo-tabs-'))
  tabs = await launchProfile(profile)
})
afterEach(async () => {
  await tabs.kill()
  await rm(profile, { recursive: true, force: true })
})

const upTo = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

async function openPage(
  page: Page,
  storeId: string,
  kind: Kind = 'own',
  callTimeoutMs = 30_000,
): Promise<Page> {
  await page.goto(site.url)
  await page.waitForFunction(() => 'harness' in globalThis)
  const sync = `${site.url}/sync`
  await inHarness(page, (harness, ...given) => harness.openWith(...given), kind, storeId, sync, callTimeoutMs)
  return page
}

const openTab = async (storeId: string, kind?: Kind, callTimeoutMs?: number): Promise<Page> =>
  openPage(await tabs.browser.contexts()[0]!.newPage(), storeId, kind, callTimeoutMs)

/** Another device, with nothing but what the server has. */
const openDevice = async (storeId: string): Promise<Page> =>
  openPage(await (await elsewhere.newContext()).newPage(), storeId)

const counted = async (page: Page): Promise<string[]> =>
  (await inHarness(page, harness => harness.counted())).events
const count = (page: Page, tab: number, events: number): Promise<void> =>
  inHarness(page, (harness, n, k) => harness.count(n, k), tab, events)
const status = (page: Page) => inHarness(page, harness => harness.syncStatus())
const names = (tab: number, events: number): string[] => upTo(events).map(n => `${tab}/${n}`)

/** Each event once on this page, and in the server's order on the device. */
async function expectOnce(page: Page, device: Page, events: readonly string[]): Promise<void> {
  const sorted = [...events].sort()
  await expect.poll(async () => (await counted(device)).sort(), { timeout: 90_000 }).toEqual(sorted)
  await expect.poll(async () => (await status(page)).pending, { timeout: 90_000 }).toBe(0)
  await expect.poll(async () => await counted(page)).toEqual(await counted(device))
  expect(await inHarness(page, harness => harness.verify())).toMatchObject({ ok: true })
}

test('a leader whose process is killed while it syncs: another leads, and nothing is lost or doubled', async () => {
  const leader = await openTab('killed')
  const others = [await openTab('killed'), await openTab('killed')]
  const device = await openDevice('killed')
  const acknowledged: string[] = []
  let enough = () => {}
  const isEnough = new Promise<void>(resolve => {
    enough = resolve
  })
  await leader.exposeFunction('acknowledge', (n: number) => {
    acknowledged.push(`0/${n}`)
    if (acknowledged.length === 60) enough()
  })
  // It dies while it runs.
  leader.evaluate('harness.count(0, 100000, n => acknowledge(n))').catch(() => {})
  const counting = others.map((page, i) => count(page, i + 1, 100))
  await isEnough
  await crash(leader)
  await Promise.all(counting)
  const stored = await counted(others[0]!)
  expect(acknowledged.filter(event => !stored.includes(event))).toEqual([])
  expect(new Set(stored).size).toBe(stored.length)
  await expectOnce(others[0]!, device, stored)
  expect(await inHarness(others[1]!, harness => harness.leaders())).toHaveLength(1)
})

test('a leader that is frozen is stolen from within the bound, and finds that out when it returns', async () => {
  const leader = await openTab('frozen')
  const others = [await openTab('frozen'), await openTab('frozen')]
  const device = await openDevice('frozen')
  await count(leader, 0, 20)
  await expectOnce(others[0]!, device, names(0, 20))
  const before = await inHarness(others[0]!, harness => harness.leaders())
  const { thaw } = await freezeProcessOf(leader, profile)
  const frozenAt = Date.now()
  await Promise.all(others.map((page, i) => count(page, i + 1, 20)))
  const now = [...names(0, 20), ...names(1, 20), ...names(2, 20)]
  await expectOnce(others[0]!, device, now)
  // Nobody else was told: it took a silence of 20 s, and no more than half of one on top, and some for the push itself.
  const tookMs = Date.now() - frozenAt
  expect(tookMs).toBeGreaterThan(15_000)
  expect(tookMs).toBeLessThan(45_000)
  const meanwhile = await inHarness(others[0]!, harness => harness.leaders())
  expect(meanwhile).toHaveLength(1)
  expect(meanwhile).not.toEqual(before)

  thaw()
  await Promise.all([leader, ...others].map((page, i) => count(page, i + 3, 20)))
  const all = [...now, ...names(3, 20), ...names(4, 20), ...names(5, 20)]
  for (const page of [leader, ...others]) await expectOnce(page, device, all)
  expect(await inHarness(leader, harness => harness.leaders())).toEqual(meanwhile)
  // All say the same, for good.
  for (const page of [leader, ...others]) {
    await expect
      .poll(async () => await status(page))
      .toMatchObject({ phase: 'idle', pending: 0, error: null })
  }
})

describe('tabs of two releases', () => {
  test('fold one log, each with its own handlers', async () => {
    const [one, other] = [await openTab('folds'), await openTab('folds', 'other-release')]
    for (const round of upTo(3)) {
      await count(one, round, 5)
      await count(other, round + 10, 5)
      const events = 10 * (round + 1)
      await inHarness(one, (harness, total) => harness.shownTotal(total), events)
      await inHarness(other, (harness, total) => harness.shownTotal(total), 2 * events)
    }
    expect(await inHarness(one, harness => harness.total())).toBe(30)
    expect(await inHarness(other, harness => harness.total())).toBe(60)
  })

  test('a merge that the one that syncs has not: all stays pending until one that has it syncs', async () => {
    const older = await openTab('merges')
    const newer = await openTab('merges', 'other-release')
    const device = await openDevice('merges')
    await inHarness(newer, harness => harness.setOnline(false))
    await expect.poll(async () => (await status(older)).phase).toBe('offline')
    await inHarness(newer, harness => harness.countMerging(1, 0))
    await count(device, 0, 1)
    await expect.poll(async () => (await status(device)).pending).toBe(0)
    await inHarness(newer, harness => harness.setOnline(true))
    for (const page of [older, newer]) {
      await expect.poll(async () => (await status(page)).error?.code).toBe('unknown-merge')
      expect(await status(page)).toMatchObject({ pending: 1, rejected: 0 })
    }
    await older.close()
    await expectOnce(newer, device, ['0/0', '1/0'])
    expect(await status(newer)).toMatchObject({ error: null, rejected: 0 })
  })
})

describe('pages of one shared worker', () => {
  const sharedWorkers = async (): Promise<number> => {
    const session = await tabs.browser.newBrowserCDPSession()
    const { targetInfos } = await session.send('Target.getTargets')
    await session.detach()
    return targetInfos.filter(({ type }) => type === 'shared_worker').length
  }
  const health = (page: Page) => inHarness(page, harness => harness.health())

  test('and one with its own: all append and see all; one closes, one crashes, the others go on', async () => {
    const [host, closing, crashing] = [
      await openTab('shared', 'shared'),
      await openTab('shared', 'shared'),
      await openTab('shared', 'shared'),
    ]
    const own = await openTab('shared', 'own')
    const device = await openDevice('shared')
    expect(await sharedWorkers()).toBe(1)
    const pages = [host, closing, crashing, own]
    await Promise.all(pages.map((page, tab) => count(page, tab, 50)))
    await Promise.all(pages.map(page => inHarness(page, harness => harness.shownTotal(200))))
    const events = upTo(4).flatMap(tab => names(tab, 50))
    await expectOnce(own, device, events)

    await inHarness(closing, harness => harness.close())
    await closing.close()
    await crash(crashing)
    await Promise.all([count(host, 10, 50), count(own, 11, 50)])
    const all = [...events, ...names(10, 50), ...names(11, 50)]
    for (const page of [host, own]) {
      await inHarness(page, harness => harness.shownTotal(300))
      await expectOnce(page, device, all)
    }
    expect(await health(host)).toMatchObject({ phase: 'ready', restarts: 0, webLocks: true })
  })

  test('that is killed with the process of one of them: the others get a new one, though one is frozen', async () => {
    const host = await openTab('worker-killed', 'shared')
    const frozen = await openTab('worker-killed', 'shared')
    const other = await openTab('worker-killed', 'shared')
    const device = await openDevice('worker-killed')
    await count(host, 0, 20)
    const { thaw } = await freezeProcessOf(frozen, profile)
    const counting = count(other, 1, 200)
    await crash(host)
    await counting
    const all = [...names(0, 20), ...names(1, 200)]
    await expectOnce(other, device, all)
    expect(await health(other)).toMatchObject({ phase: 'ready', restarts: 1 })
    thaw()
    await count(frozen, 2, 10)
    await expectOnce(frozen, device, [...all, ...names(2, 10)])
    expect(await sharedWorkers()).toBe(1)
  })

  test('one that is frozen is let go, and comes back when it thaws', async () => {
    const host = await openTab('page-frozen', 'shared')
    const frozen = await openTab('page-frozen', 'shared')
    await count(frozen, 0, 5)
    const { thaw } = await freezeProcessOf(frozen, profile)
    await count(host, 1, 50)
    await inHarness(host, harness => harness.shownTotal(55))
    await new Promise(resolve => setTimeout(resolve, 80_000))
    await count(host, 2, 5)
    thaw()
    await inHarness(frozen, harness => harness.shownTotal(60))
    await count(frozen, 3, 5)
    await inHarness(host, harness => harness.shownTotal(65))
    expect(await health(frozen)).toMatchObject({ phase: 'ready', restarts: 1 })
    expect(await health(host)).toMatchObject({ phase: 'ready', restarts: 0 })
    expect(await sharedWorkers()).toBe(1)
  })

  test('that hangs is left behind by who finds out: it gets another one', async () => {
    const host = await openTab('hangs', 'shared')
    const other = await openTab('hangs', 'shared', 4_000)
    await count(host, 0, 5)
    const { thaw } = await freezeProcessOf(host, profile)
    const refused = inHarness(other, harness => harness.count(1, 1).catch(({ code }) => code))
    expect(await refused).toBe('worker-timeout')
    await expect.poll(async () => (await health(other)).phase, { timeout: 30_000 }).toBe('restarting')
    await expect.poll(async () => (await health(other)).phase, { timeout: 60_000 }).toBe('ready')
    await count(other, 2, 5)
    thaw()
    await expect.poll(async () => (await counted(host)).length).toBeGreaterThanOrEqual(10)
    const events = await counted(host)
    expect(new Set(events).size).toBe(events.length)
    expect(events).toEqual(expect.arrayContaining([...names(0, 5), ...names(2, 5)]))
    expect(await sharedWorkers()).toBe(2)
  })
})
