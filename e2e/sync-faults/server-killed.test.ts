// The sync server's process is killed under load, again and again, and comes back on the same database and port.

import { expect, test } from 'vitest'
import type { LedgerLine } from '../harness/ledger.ts'
import { randomFrom } from '../harness/random-from.ts'
import { inHarness } from '../support/in-harness.ts'
import { checkLedgers } from './check-ledger.ts'
import { areAtOnePlace, type Profile, statusOf, useSyncWorld } from './sync-world.ts'

const KILLS = 10
const SEED = Number(process.env['KILLS_SEED'] ?? Math.floor(Math.random() * 1e9))

const world = useSyncWorld()

test(`the server killed ${KILLS} times while two browsers push: nothing is lost, nothing is doubled`, async () => {
  console.log(`KILLS_SEED=${SEED}`)
  const random = randomFrom(SEED)
  const server = world.server()
  const storeId = `server-${crypto.randomUUID()}`
  const devices: (Profile & { who: string; ledger: LedgerLine[] })[] = []
  for (const who of ['one', 'two']) {
    devices.push({ who, ledger: [], ...(await world.openProfile(storeId)) })
  }
  const pages = devices.map(({ page }) => page)

  let isOver = false
  const load = devices.map(async ({ page, who, ledger }) => {
    for (let first = 0; !isOver; first += 1_000) {
      const writing = { who, events: 5, first, seed: Math.floor(random() * 1e9) }
      ledger.push(...(await inHarness(page, (harness, given) => harness.writeLedger(given), writing)))
      await new Promise(resolve => setTimeout(resolve, 25))
    }
  })
  let reached = 0
  const said: unknown[] = []
  for (let kill = 0; kill < KILLS; kill++) {
    // Something got through since the last one, so that each hits a server at work.
    await expect.poll(async () => (await statusOf(pages[0]!)).serverPosition).toBeGreaterThan(reached)
    await new Promise(resolve => setTimeout(resolve, random() * 300))
    await server.kill()
    await expect.poll(() => statusOf(pages[0]!)).toMatchObject({ phase: 'waiting' })
    const status = await statusOf(pages[0]!)
    said.push(status.error?.code)
    reached = status.serverPosition
    await server.start()
  }
  isOver = true
  await Promise.all(load)
  expect(new Set(said)).toEqual(new Set(['sync-unreachable']))

  await areAtOnePlace(pages)
  const accounts = await Promise.all(pages.map(page => inHarness(page, harness => harness.account())))
  const fates = checkLedgers(
    devices.map(({ who, ledger }, i) => ({ who, ledger, account: accounts[i]! })),
    await world.read(storeId),
  )
  console.log(fates)
  for (const { context } of devices) await context.close()
})
