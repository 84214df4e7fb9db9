// A browser on a profile of its own on the disk: opened again, it is cold, and the data is still there.

import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium, type Page } from 'playwright-core'
import { CHROMIUM_FLAGS, CHROMIUM_PATH } from '../../e2e/support/chromium.ts'

/** What Chromium keeps IndexedDB in. It is moving from the first to the second. */
export const BACKENDS = ['LevelDB', 'SQLite'] as const
export type Backend = (typeof BACKENDS)[number]

export interface Profile {
  /** Runs a step on a page in a browser that is started for it and closed behind it. */
  inNewBrowser: <T>(url: string, step: (page: Page) => Promise<T>) => Promise<T>
  remove: () => Promise<void>
}

/** A step that takes longer hangs. */
const STEP_LIMIT_MS = 15 * 60_000

export async function createProfile(backend: Backend = 'LevelDB'): Promise<Profile> {
  const folder = await mkdtemp(join(tmpdir(), 'streamdingo-bench-'))
  return {
    async inNewBrowser(url, step) {
      const context = await chromium.launchPersistentContext(folder, {
        executablePath: CHROMIUM_PATH,
        args: [...CHROMIUM_FLAGS, ...FLAGS, ...(backend === 'SQLite' ? [SQLITE] : [])],
      })
      try {
        // Of the page that the browser opens by itself the driver sometimes never hears.
        const page = await context.newPage()
        const failed = failureOf(page)
        const value = await Promise.race([openAt(page, url).then(() => step(page)), failed])
        await assertBackend(folder, backend)
        return value
      } finally {
        await context.close()
      }
    },
    remove: () => rm(folder, { recursive: true, force: true, maxRetries: 5 }),
  }
}

/** Eager: else the browser lets a page wait for half a minute before it tells how much memory it takes. */
const FLAGS = ['--enable-blink-features=ForceEagerMeasureMemory']
const SQLITE = '--enable-features=IdbSqliteBackingStore'

async function openAt(page: Page, url: string): Promise<void> {
  await page.goto(url)
  await page.waitForFunction(() => 'bench' in globalThis)
}

/** Never resolves: rejects with what the page did not catch, or when the time is over. */
function failureOf(page: Page): Promise<never> {
  const failure = new Promise<never>((_, reject) => {
    page.on('pageerror', reject)
    page.on('crash', () => reject(new Error('The page crashed')))
    page.setDefaultTimeout(60_000)
    const timer = setTimeout(() => reject(new Error('The page hangs')), STEP_LIMIT_MS)
    page.once('close', () => clearTimeout(timer))
  })
  failure.catch(() => {})
  return failure
}

/** A flag that Chromium no longer knows would go unnoticed otherwise. */
async function assertBackend(folder: string, backend: Backend): Promise<void> {
  const databases = await readdir(join(folder, 'Default', 'IndexedDB')).catch(() => [])
  const used = databases.some(name => name.endsWith('.leveldb')) ? 'LevelDB' : 'SQLite'
  if (databases.length > 0 && used !== backend) {
    throw new Error(`Chromium kept IndexedDB in ${used} where ${backend} was asked for`)
  }
}
