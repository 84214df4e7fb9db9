// Two profiles that went apart for a thousand events each, in every way there is to write, and meet.

import { expect, test } from 'vitest'
import { openFaultyProxy } from '../../test/support/faulty-proxy.ts'
import type { LedgerLine } from '../harness/ledger.ts'
import { randomFrom } from '../harness/random-from.ts'
import { inHarness } from '../support/in-harness.ts'
import { checkLedgers } from './check-ledger.ts'
import { areAtOnePlace, isIdle, type Profile, statusOf, useSyncWorld } from './sync-world.ts'

const EVENTS = 1_000
const SEED = Number(process.env['MEETING_SEED'] ?? Math.floor(Math.random() * 1e9))

type Writer = Profile & Readonly<{ who: string; ledger: LedgerLine[] }>

const world = useSyncWorld()

for (const wire of ['a sound wire', 'wires that are cut again and again'] as const) {
  test(`${EVENTS} events each, met over ${wire}: none that was acknowledged is lost, none is doubled`, async () => {
    console.log(`MEETING_SEED=${SEED}`)
    const random = randomFrom(SEED)
    const storeId = `meeting-${crypto.randomUUID()}`
    const proxies = await Promise.all(['one', 'two'].map(() => openFaultyProxy(world.server().url)))
    const devices: Writer[] = []
    for (const [i, who] of ['one', 'two'].entries()) {
      devices.push({ who, ledger: [], ...(await world.openProfile(storeId, proxies[i]!.url)) })
    }
    const pages = devices.map(({ page }) => page)

    async function write({ page, who, ledger }: Writer, events: number, first: number): Promise<void> {
      const writing = { who, events, first, seed: Math.floor(random() * 1e9) }
      ledger.push(...(await inHarness(page, (harness, given) => harness.writeLedger(given), writing)))
    }

    // What they have in common, before they part.
    for (const device of devices) await write(device, 50, 0)
    await areAtOnePlace(pages)
    const together = await statusOf(pages[0]!)
    for (const { context, page } of devices) {
      await context.setOffline(true)
      await expect.poll(() => statusOf(page)).toMatchObject({ phase: 'offline', pending: 0 })
    }
    await Promise.all(devices.map(device => write(device, EVENTS, 10_000)))
    for (const page of pages) {
      expect(await statusOf(page)).toMatchObject({
        phase: 'offline',
        pending: EVENTS,
        error: null,
        serverPosition: together.serverPosition,
      })
    }

    await Promise.all(devices.map(({ context }) => context.setOffline(false)))
    if (wire !== 'a sound wire') {
      for (let n = 0; n < 16; n++) {
        for (const proxy of proxies) {
          proxy.setWire({
            up: Math.floor(random() * 100_000),
            down: Math.floor(random() * 60_000),
            end: 'cut',
          })
        }
        await new Promise(resolve => setTimeout(resolve, 50 + random() * 400))
      }
      expect(proxies.map(proxy => proxy.broken()).every(count => count > 2)).toBe(true)
      for (const proxy of proxies) proxy.setWire('sound')
    }
    await areAtOnePlace(pages)
    await Promise.all(pages.map(page => isIdle(page)))

    const accounts = await Promise.all(pages.map(page => inHarness(page, harness => harness.account())))
    const fates = checkLedgers(
      devices.map(({ who, ledger }, i) => ({ who, ledger, account: accounts[i]! })),
      await world.read(storeId),
    )
    console.log(fates)
    // Each way was met with all that may come of it, or this has shown little.
    expect(Object.keys(fates).sort()).toEqual([
      'command that may be idle: confirmed',
      'command that may be idle: idle',
      'command: confirmed',
      'command: rejected',
      'many streams: confirmed',
      'merge: confirmed',
      'own: confirmed',
      'reappend: confirmed',
      'reject: confirmed',
      'reject: rejected',
    ])
    const acknowledged = devices.flatMap(({ ledger }) => ledger.flatMap(({ eventIds }) => eventIds))
    expect(acknowledged).toHaveLength(2 * (EVENTS + 50))
    for (const { context } of devices) await context.close()
    for (const proxy of proxies) await proxy.close()
  })
}
