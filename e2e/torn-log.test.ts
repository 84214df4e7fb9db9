// Chromium loses a whole database behind a torn record of its own log, by docs/decisions/0007: the store says so.
// Only its LevelDB backend has such a log, so that is the one under test.

import { appendFile, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchProfile } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness } from './support/servers.ts'

let site: RunningServer
beforeAll(async () => {
  site = await serveHarness()
})
afterAll(() => site.close())

const LEVELDB = ['--disable-features=IdbSqliteBackingStore']

test('a log that Chromium destroyed behind a torn record is refused with data-loss until that is accepted', async () => {
  const profile = await mkdtemp(join(tmpdir(), 'streamdingo-profile-'))

  await untilKilled(profile, async page => {
    await inHarness(page, harness => harness.open('torn'))
    await inHarness(page, harness => harness.count(0, 50))
  })
  await tearLog(profile)

  await untilKilled(profile, async page => {
    await inHarness(page, harness => harness.open('torn'))
    expect(await eventsOf(page)).toHaveLength(50)
    expect(await inHarness(page, harness => harness.verify())).toMatchObject({ ok: true, events: 50 })
    await inHarness(page, harness => harness.count(1, 50))
  })

  const refusal = {
    code: 'storage-failed',
    problem: 'data-loss',
    message: expect.stringContaining('database was corrupt'),
  }
  await untilKilled(profile, async page => {
    expect(await inHarness(page, harness => harness.refusal('torn'))).toEqual(refusal)
    expect(await inHarness(page, harness => harness.refusal('torn'))).toEqual(refusal)
  })

  await untilKilled(profile, async page => {
    expect(await inHarness(page, harness => harness.refusal('torn'))).toEqual(refusal)
    await inHarness(page, harness => harness.open('torn', undefined, true))
    expect(await eventsOf(page)).toEqual([])
    expect(await inHarness(page, harness => harness.health())).toMatchObject({ phase: 'ready', error: null })
    await inHarness(page, harness => harness.count(2, 3))
  })

  await untilKilled(profile, async page => {
    await inHarness(page, harness => harness.open('torn'))
    expect(await eventsOf(page)).toEqual(['2/0', '2/1', '2/2'])
  })
  await rm(profile, { recursive: true, force: true })
})

async function untilKilled(profile: string, session: (page: Page) => Promise<void>): Promise<void> {
  const { browser, kill } = await launchProfile(profile, LEVELDB)
  try {
    const page = await browser.contexts()[0]!.newPage()
    await page.goto(site.url)
    await page.waitForFunction(() => 'harness' in globalThis)
    await session(page)
  } finally {
    await kill()
  }
}

const eventsOf = async (page: Page): Promise<string[]> =>
  (await inHarness(page, harness => harness.counted())).events

/** Leaves what a kill between LevelDB's two writes of a record leaves: its header, which promises 300 bytes. */
async function tearLog(profile: string): Promise<void> {
  const databases = join(profile, 'Default', 'IndexedDB')
  const [name] = (await readdir(databases)).filter(folder => folder.endsWith('.indexeddb.leveldb'))
  const files = await readdir(join(databases, name!))
  const newest = files
    .filter(file => file.endsWith('.log'))
    .sort()
    .at(-1)
  await appendFile(join(databases, name!, newest!), Uint8Array.from([1, 2, 3, 4, 0x2c, 0x01, 1]))
}
