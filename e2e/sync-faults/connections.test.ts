// What status says, in Chromium, while a connection fails in one way or another, and that sync goes on by itself behind it.

import { describe, type TestContext, test } from 'vitest'
import { openFaultyProxy, type Wire } from '../../test/support/faulty-proxy.ts'
import { inHarness } from '../support/in-harness.ts'
import { statusOf, useSyncWorld } from './sync-world.ts'

const world = useSyncWorld()
const ALL = Number.POSITIVE_INFINITY

/** Two profiles: the connections of the first one are the test's to break. */
async function twoProfiles({ onTestFinished }: TestContext) {
  const storeId = `wire-${crypto.randomUUID()}`
  const proxy = await openFaultyProxy(world.server().url)
  const near = await world.openProfile(storeId, proxy.url)
  const far = await world.openProfile(storeId)
  onTestFinished(async () => {
    for (const { context } of [near, far]) await context.close()
    await proxy.close()
  })
  for (const [tab, { page }] of [near, far].entries()) {
    await inHarness(page, harness => harness.synced())
    await inHarness(page, (harness, who) => harness.count(who, 1), tab)
  }
  for (const { page } of [near, far]) await inHarness(page, harness => harness.synced(2))
  return { proxy, near, far }
}

// A silent server is given up after 30 s: they wait at the same time.
describe.concurrent('while the connection', () => {
  const faults: readonly (readonly [name: string, wire: Wire, timedOut: boolean])[] = [
    ['is half open: nothing arrives, and nobody says so', { up: 0, down: 0, end: 'silence' }, true],
    ['is cut in the middle of what is sent', { up: 1_500, down: ALL, end: 'cut' }, false],
    ['is cut in the middle of what is answered', { up: ALL, down: 150, end: 'cut' }, false],
  ]
  for (const [name, wire, timedOut] of faults) {
    test(`${name}, status says what waits, why, and until when; then it goes on by itself`, async context => {
      const { expect } = context
      const { proxy, near, far } = await twoProfiles(context)
      const before = await statusOf(near.page)
      const writtenAt = Date.now()
      proxy.setWire(wire)
      await inHarness(near.page, harness => harness.count(2, 20))
      // It is tried again at once now and then, so the moment must be caught at which it waits.
      await expect
        .poll(() => statusOf(near.page), { timeout: 60_000, interval: 20 })
        .toMatchObject({ phase: 'waiting' })
      const status = await statusOf(near.page)
      expect(status).toMatchObject({
        rejected: 0,
        error: { code: 'sync-unreachable', facts: { timedOut } },
      })
      // The first one may have got through before the wire broke.
      expect(status.pending).toBeGreaterThanOrEqual(timedOut ? 20 : 1)
      expect(status.error!.recovery).not.toBe('')
      expect(status.oldestPendingAt).toBeGreaterThanOrEqual(writtenAt)
      if (status.phase === 'waiting') expect(status.retryAt).toBeGreaterThan(writtenAt)
      if (timedOut) expect(status.lastContactAt).toBe(before.lastContactAt)
      proxy.setWire('sound')
      await isThrough()
      expect((await statusOf(near.page)).lastContactAt).toBeGreaterThan(status.lastContactAt!)

      async function isThrough(): Promise<void> {
        await inHarness(near.page, harness => harness.synced(22))
        await inHarness(far.page, harness => harness.synced(22))
        expect(await statusOf(near.page)).toMatchObject({ pending: 0, oldestPendingAt: null, error: null })
        const [one, two] = await Promise.all(
          [near, far].map(({ page }) => inHarness(page, harness => harness.counted())),
        )
        expect(one!.events).toHaveLength(22)
        expect(new Set(one!.events).size).toBe(22)
        expect(two).toEqual(one)
        expect(await inHarness(near.page, harness => harness.verify())).toMatchObject({ ok: true })
      }
    })
  }

  test('cuts a page in the middle, nothing of it is taken in, and all of it once it is sound', async context => {
    const { expect } = context
    const { proxy, near, far } = await twoProfiles(context)
    await near.context.setOffline(true)
    await inHarness(far.page, harness => harness.count(2, 60))
    await inHarness(far.page, harness => harness.synced(62))
    proxy.setWire({ up: ALL, down: 3_000, end: 'cut' })
    await near.context.setOffline(false)
    await expect
      .poll(() => statusOf(near.page), { interval: 20 })
      .toMatchObject({
        phase: 'waiting',
        pending: 0,
        oldestPendingAt: null,
        serverPosition: 2,
        error: { code: 'sync-unreachable' },
      })
    expect((await inHarness(near.page, harness => harness.counted())).events).toHaveLength(2)
    proxy.setWire('sound')
    await inHarness(near.page, harness => harness.synced(62))
    expect(await inHarness(near.page, harness => harness.counted())).toEqual(
      await inHarness(far.page, harness => harness.counted()),
    )
  })

  test('crawls, it is no fault: it is said to be sending, and all arrives', async context => {
    const { expect } = context
    const { proxy, near, far } = await twoProfiles(context)
    proxy.setWire('slow')
    await inHarness(near.page, harness => harness.count(2, 60))
    const seen = new Set<string>()
    const look = async () => {
      const { phase, error, pending } = await statusOf(near.page)
      seen.add(phase)
      expect(error).toBe(null)
      return pending
    }
    await expect.poll(look, { timeout: 60_000, interval: 20 }).toBe(0)
    expect(seen).toContain('pushing')
    await inHarness(far.page, harness => harness.synced(62))
  })

  test('is refused, and when the server is there again', async context => {
    const { expect } = context
    const { proxy, near, far } = await twoProfiles(context)
    await proxy.close()
    await inHarness(near.page, harness => harness.count(2, 5))
    await expect
      .poll(() => statusOf(near.page), { interval: 20 })
      .toMatchObject({
        phase: 'waiting',
        pending: 5,
        error: { code: 'sync-unreachable', facts: { timedOut: false } },
      })
    const again = await openFaultyProxy(world.server().url, Number(new URL(proxy.url).port))
    context.onTestFinished(again.close)
    await inHarness(near.page, harness => harness.synced(7))
    await inHarness(far.page, harness => harness.synced(7))
  })

  test('is gone and the browser says so, nothing is tried; and when it is back', async context => {
    const { expect } = context
    const { near, far } = await twoProfiles(context)
    await near.context.setOffline(true)
    await inHarness(near.page, harness => harness.count(2, 5))
    await expect
      .poll(() => statusOf(near.page))
      .toMatchObject({
        phase: 'offline',
        pending: 5,
        error: null,
        retryAt: null,
      })
    await near.context.setOffline(false)
    await inHarness(near.page, harness => harness.synced(7))
    await inHarness(far.page, harness => harness.synced(7))
  })
})
