// The files of a browser's profile are changed or cut while the browser is closed: behind that, a store reads what it
// wrote, or says that it cannot, or that something is gone. FILE_CORRUPTIONS=50 FILE_TRUNCATIONS=20 makes as many.

import { mkdtemp, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { launchProfile } from './support/chromium.ts'
import { inHarness } from './support/in-harness.ts'
import { type RunningServer, serveHarness } from './support/servers.ts'

const CORRUPTIONS = Number(process.env['FILE_CORRUPTIONS'] ?? 8)
const TRUNCATIONS = Number(process.env['FILE_TRUNCATIONS'] ?? 4)
const EVENTS = 60

let site: RunningServer
beforeAll(async () => {
  site = await serveHarness()
})
afterAll(() => site.close())

const BACKENDS = [
  { backend: 'LevelDB', flag: '--disable-features=IdbSqliteBackingStore' },
  { backend: 'SQLite', flag: '--enable-features=IdbSqliteBackingStore' },
]

for (const { backend, flag } of BACKENDS) {
  test(`${CORRUPTIONS} changes and ${TRUNCATIONS} cuts on the ${backend} backend: no wrong read, no loss untold`, {
    timeout: 60_000 + (CORRUPTIONS + TRUNCATIONS) * 5_000,
  }, async () => {
    const profile = await mkdtemp(join(tmpdir(), 'streamdingo-profile-'))
    const stores = [
      ...Array.from({ length: CORRUPTIONS }, (_, n) => ({ name: `change-${n}`, damage: change(n) })),
      ...Array.from({ length: TRUNCATIONS }, (_, n) => ({ name: `cut-${n}`, damage: cut(n) })),
    ]
    await inBrowser(profile, flag, async newPage => {
      for (const { name } of stores) {
        const page = await newPage(name)
        await inHarness(page, harness => harness.open('files'))
        await inHarness(page, (harness, n) => harness.count(0, n), EVENTS)
        // It moves the anchor, too.
        await inHarness(page, harness => harness.close())
        await page.close()
      }
    })
    for (const { name, damage } of stores) await damage(await filesOf(profile, name))
    const outcomes: string[] = []
    await inBrowser(profile, flag, async newPage => {
      for (const { name } of stores) {
        const page = await newPage(name)
        outcomes.push(
          `${name.split('-')[0]}: ${await inHarness(page, (harness, n) => harness.judgeStored('files', n), EVENTS)}`,
        )
        await page.close()
      }
    })
    await rm(profile, { recursive: true, force: true })
    console.log(`${backend}\n${countsOf(outcomes)}`)
    expect(outcomes).toHaveLength(stores.length)
    expect(outcomes.filter(outcome => outcome.includes('WRONG'))).toEqual([])
  })
}

/** An origin of its own for each store, and so files of its own. */
async function inBrowser(
  profile: string,
  flag: string,
  session: (newPage: (name: string) => Promise<Page>) => Promise<void>,
): Promise<void> {
  const { browser, kill } = await launchProfile(profile, [flag])
  try {
    await session(async name => {
      const page = await browser.contexts()[0]!.newPage()
      await page.goto(site.url.replace('127.0.0.1', `${name}.localhost`))
      await page.waitForFunction(() => 'harness' in globalThis)
      return page
    })
  } finally {
    await kill()
  }
}

/** The files of an origin's databases that hold anything, in order of name. */
async function filesOf(profile: string, name: string): Promise<string[]> {
  const databases = join(profile, 'Default', 'IndexedDB')
  const entries = await readdir(databases, { recursive: true })
  const paths = entries.filter(path => path.includes(`${name}.localhost`)).map(path => join(databases, path))
  const sizes = await Promise.all(paths.map(path => stat(path)))
  const files = paths.filter(
    (path, i) => sizes[i]!.isFile() && sizes[i]!.size > 0 && !/LOCK$|LOG(\.old)?$/.test(path),
  )
  if (files.length === 0) throw new Error(`There are no files of ${name}: ${entries.join(', ')}`)
  return files.toSorted()
}

type Damage = (files: readonly string[]) => Promise<void>

/** A few bytes in a row, at a place that follows from the number. */
const change =
  (n: number): Damage =>
  async files => {
    const path = files[n % files.length]!
    const bytes = await readFile(path)
    const at = Math.floor((placeOf(n) * bytes.length) % bytes.length)
    for (let i = at; i < Math.min(bytes.length, at + 1 + (n % 8)); i++)
      bytes[i] = bytes[i]! ^ (1 + ((n * 37) % 255))
    await writeFile(path, bytes)
  }

const cut =
  (n: number): Damage =>
  async files => {
    const path = files[n % files.length]!
    await truncate(path, Math.floor((await stat(path)).size * placeOf(n)))
  }

/** In [0, 1), spread evenly. */
const placeOf = (n: number): number => ((n + 1) * 0.618_033_988_75) % 1

function countsOf(outcomes: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const outcome of outcomes) counts.set(outcome, (counts.get(outcome) ?? 0) + 1)
  return [...counts].map(([outcome, count]) => `${count} × ${outcome}`).join('\n')
}
