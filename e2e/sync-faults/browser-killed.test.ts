// The whole browser is killed while a push or an answer is half way through: on the next start of the profile nothing that
// was acknowledged is lost or doubled.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { type FaultyProxy, openFaultyProxy } from '../../test/support/faulty-proxy.ts'
import type { LedgerLine } from '../harness/ledger.ts'
import { randomFrom } from '../harness/random-from.ts'
import { launchProfile, openHarness, type ProfileBrowser } from '../support/chromium.ts'
import { inHarness } from '../support/in-harness.ts'
import { checkLedgers } from './check-ledger.ts'
import { areAtOnePlace, useSyncWorld } from './sync-world.ts'

const KILLS = 12
const SEED = Number(process.env['KILLS_SEED'] ?? Math.floor(Math.random() * 1e9))

const world = useSyncWorld()

test(`the browser killed ${KILLS} times in the middle of pushes and pulls: nothing is lost, nothing is doubled`, async () => {
  console.log(`KILLS_SEED=${SEED}`)
  const random = randomFrom(SEED)
  const storeId = `killed-${crypto.randomUUID()}`
  const proxy = await openFaultyProxy(world.server().url)
  const userDataDir = await mkdtemp(join(tmpdir(), 'streamdingo-profile-'))
  onTestFinished(async () => {
    await proxy.close()
    await rm(userDataDir, { recursive: true, force: true })
  })
  // Somebody else writes to the same streams all the time, so that there is something to pull.
  const other = await world.openProfile(storeId)
  const otherLedger: LedgerLine[] = []
  let ledger: LedgerLine[] = []
  const attempted = new Map<string, LedgerLine>()

  for (let round = 0; round < KILLS; round++) {
    const opened = await reopen()
    const first = round * 10_000
    otherLedger.push(
      ...(await inHarness(other.page, (harness, given) => harness.writeLedger(given), {
        who: 'other',
        events: 40,
        seed: random() * 1e9,
        first,
      })),
    )
    await killHalfway(opened, round, first)
  }

  const { page, kill } = await reopen()
  await areAtOnePlace([page, other.page])
  const accounts = [
    await inHarness(page, harness => harness.account()),
    await inHarness(other.page, harness => harness.account()),
  ] as const
  const fates = checkLedgers(
    [
      { who: 'killed', ledger, account: accounts[0] },
      { who: 'other', ledger: otherLedger, account: accounts[1] },
    ],
    await world.read(storeId),
    [...attempted.values()].filter(({ n }) => !ledger.some(line => line.n === n)),
  )
  console.log(fates)
  await kill()
  await other.context.close()

  type Reopened = ProfileBrowser & { page: Awaited<ReturnType<typeof pageOf>> }
  async function reopen(): Promise<Reopened> {
    proxy.setWire('sound')
    const opened = await launchProfile(userDataDir)
    const page = await pageOf(opened)
    try {
      await openHarness(page, world.site().url, storeId, proxy.url)
    } catch (error) {
      // Of two kills the second can make Chromium destroy the database: docs/decisions/0007. What the server had comes again.
      const refusal = await inHarness(page, (harness, id) => harness.refusal(id), storeId)
      if (refusal?.problem !== 'data-loss' || !refusal.message.includes('database was corrupt')) throw error
      console.log(`Chromium destroyed ${ledger.length} acknowledged commits. ${refusal.message}`)
      ledger = []
      await inHarness(page, (harness, id, url) => harness.open(id, url, true), storeId, proxy.url)
    }
    // Before anything comes from elsewhere: what was acknowledged is here.
    const ids = ledger.flatMap(({ eventIds }) => eventIds)
    const progress = await inHarness(page, (harness, given) => harness.progressOf(given), ids)
    expect(ids.filter((_, i) => progress[i] === null)).toEqual([])
    return { ...opened, page }
  }

  /** Writes until the wire has gone silent in mid-body, and then kills all of the browser. */
  async function killHalfway({ page, kill }: Reopened, round: number, first: number): Promise<void> {
    await page.exposeFunction('attempted', (line: LedgerLine) => void attempted.set(line.eventIds[0]!, line))
    await page.exposeFunction('acknowledged', (line: LedgerLine) => void ledger.push(line))
    const before = proxy.broken()
    proxy.setWire(faultOf(round))
    const writing = { who: 'killed', events: 100_000, seed: Math.floor(random() * 1e9), first }
    const step = `globalThis.harness.writeLedger(${JSON.stringify(writing)}, globalThis)`
    // The page dies while it runs.
    page.evaluate(step).catch(() => {})
    await expect.poll(() => proxy.broken(), { timeout: 20_000, interval: 5 }).toBeGreaterThan(before)
    await kill()
  }

  /** By turns in what is sent, and in what is answered: then the server has it, and nobody here has heard so. */
  function faultOf(round: number): Parameters<FaultyProxy['setWire']>[0] {
    const bytes = 500 + Math.floor(random() * 4_000)
    const all = Number.POSITIVE_INFINITY
    return round % 2 === 0
      ? { up: bytes, down: all, end: 'silence' }
      : { up: all, down: bytes / 4, end: 'silence' }
  }
})

const pageOf = ({ browser }: ProfileBrowser) => browser.contexts()[0]!.newPage()
