// The demo as a person uses it, on the built package and a real server: how tests open it and what they do on it.

import type { Browser, BrowserContext, BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, expect } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { type DemoServer, startDemoServer } from '../support/servers.ts'

export type Demo = Readonly<{
  /** Another person's browser, or another device. */
  newProfile: (options?: BrowserContextOptions) => Promise<BrowserContext>
  /** A tab of a profile, when the board is on it. */
  openBoard: (profile: BrowserContext, board: string, device?: string) => Promise<Page>
  /** The server of all of the file's tests. */
  server: () => DemoServer
}>

/** To be called once in a test file: a server and a browser for all of its tests. */
export function useDemo(): Demo {
  let browser: Browser
  let server: DemoServer
  beforeAll(async () => {
    server = await startDemoServer()
    browser = await launchChromium()
  })
  afterAll(async () => {
    await browser.close()
    await server.close()
  })
  return {
    newProfile: options => browser.newContext(options),
    server: () => server,
    async openBoard(profile, board, device) {
      const page = await profile.newPage()
      page.on('pageerror', error => {
        throw error
      })
      await page.goto(`${server.url}/?${new URLSearchParams({ board, ...(device && { device }) })}`)
      await isOpen(page)
      return page
    },
  }
}

export const newBoardName = (): string => `test-${crypto.randomUUID().slice(0, 8)}`

export const isOpen = (page: Page): Promise<void> => column(page, 'Doing').locator('.card').first().waitFor()

export const column = (page: Page, name: string) => page.getByRole('region', { name, exact: true })

export const titles = (page: Page, columnName: string): Promise<string[]> =>
  column(page, columnName).locator('.card-title').allTextContents()

/** The card's own button, which has its title as its name. */
export const card = (page: Page, title: string) => page.locator('.card-title', { hasText: title })

export async function addCard(page: Page, title: string, to = 'To do'): Promise<void> {
  await page.getByLabel(`New card in ${to}`).fill(title)
  await page.getByRole('button', { name: `Add to ${to}` }).click()
  await column(page, to).getByText(title).waitFor()
}

export async function choose(page: Page, title: string, item: string): Promise<void> {
  await page.getByRole('button', { name: `Actions for “${title}”` }).click()
  await page.getByRole('menuitem', { name: item, exact: true }).click()
}

export const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true })

export const switchOffline = (page: Page): Promise<void> =>
  page.getByRole('switch', { name: 'Work offline' }).click()

export const isInPhase = (page: Page, phase: string): Promise<void> =>
  page.getByTestId('phase').getByText(phase, { exact: true }).waitFor()

/** Nothing waits to be sent any more, and the timeline shows it so. */
export async function isSent(page: Page): Promise<void> {
  await expect.poll(() => page.getByTestId('pending').textContent(), { timeout: 20_000 }).toBe('')
  await page.locator('.event').first().waitFor()
  await expect.poll(() => pendingEvents(page)).toBe(0)
}

export const pendingEvents = (page: Page): Promise<number> =>
  page.locator('.event[data-status="pending"]').count()
