// The demo as a person uses it, on the built package and a real server.

import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium } from '../support/chromium.ts'
import { type RunningServer, startDemoServer } from '../support/servers.ts'

let browser: Browser
let server: RunningServer
let board = ''
beforeAll(async () => {
  server = await startDemoServer()
  browser = await launchChromium()
})
afterAll(async () => {
  await browser.close()
  await server.close()
})
beforeEach(() => {
  board = `test-${crypto.randomUUID().slice(0, 8)}`
})

async function openBoard(context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  page.on('pageerror', error => {
    throw error
  })
  await page.goto(`${server.url}/?board=${board}`)
  await page.getByText('Drag me to another column').first().waitFor()
  return page
}

const newProfile = async (): Promise<Page> => openBoard(await browser.newContext())
const column = (page: Page, name: string) => page.getByRole('region', { name, exact: true })
const cards = (page: Page, name: string) => column(page, name).locator('.card .title').allTextContents()

async function addCard(page: Page, title: string, to = 'To do'): Promise<void> {
  await page.getByLabel(`New card in ${to}`).fill(title)
  await page.getByRole('button', { name: `Add to ${to}` }).click()
  await column(page, to).getByText(title).waitFor()
}

const workOffline = (page: Page) => page.getByRole('switch', { name: 'Work offline' }).click()
const synced = (page: Page) => page.getByText(/Everything is synced|Synced by another tab/).waitFor()
const isSynced = (page: Page) =>
  expect.poll(() => page.getByTestId('pending').textContent(), { timeout: 15_000 }).toBe('')

describe('the board', () => {
  test('keeps what was done over a reload', async () => {
    const page = await newProfile()
    await addCard(page, 'Kept over a reload')
    await page.getByRole('button', { name: 'Move “Kept over a reload” to Doing' }).click()
    await column(page, 'Doing').getByText('Kept over a reload').waitFor()
    await page.reload()
    await column(page, 'Doing').getByText('Kept over a reload').waitFor()
    expect(await cards(page, 'To do')).not.toContain('Kept over a reload')
    await page.context().close()
  })

  test('moves a card by dragging it', async () => {
    const page = await newProfile()
    const card = page.locator('.card', { hasText: 'Drag me to another column' })
    await card.hover()
    await page.mouse.down()
    await column(page, 'Done').hover()
    await page.mouse.up()
    await column(page, 'Done').getByText('Drag me to another column').waitFor()
    await page.context().close()
  })

  test('refuses what its rules do not allow, and says why', async () => {
    const page = await newProfile()
    await page.getByLabel('Limit of Doing').selectOption('limit 1')
    await column(page, 'Doing').getByText('1 / 1').waitFor()
    await page.getByLabel('New card in Doing').fill('One too many')
    await page.getByRole('button', { name: 'Add to Doing' }).click()
    await page.getByText('“Doing” is full: its limit is 1').waitFor()
    expect(await cards(page, 'Doing')).toEqual(['Drag me to another column'])
    await page.context().close()
  })

  test('keeps notes of a card in a stream of their own', async () => {
    const page = await newProfile()
    await page.getByRole('button', { name: 'Drag me to another column', exact: true }).click()
    await page.getByLabel('New note').fill('Remember the milk')
    await page.getByRole('button', { name: 'Add note' }).click()
    await page.getByRole('dialog').getByText('Remember the milk').waitFor()
    await page.getByRole('button', { name: 'Close' }).click()
    await column(page, 'Doing').getByText('✎ 1').waitFor()
    await page.context().close()
  })

  test('goes on when its worker is killed', async () => {
    const page = await newProfile()
    await addCard(page, 'Before')
    await page.workers()[0]!.evaluate(() => self.close())
    await addCard(page, 'After')
    expect(await cards(page, 'To do')).toEqual(expect.arrayContaining(['Before', 'After']))
    await page.context().close()
  })
})

describe('two tabs of one profile', () => {
  test('see each other at once, and one of them syncs', async () => {
    const context = await browser.newContext()
    const [one, two] = [await openBoard(context), await openBoard(context)]
    await addCard(one, 'From the first tab')
    await column(two, 'To do').getByText('From the first tab').waitFor()
    await addCard(two, 'From the second tab')
    await column(one, 'To do').getByText('From the second tab').waitFor()
    await Promise.all([synced(one), synced(two)])
    await context.close()
  })
})

describe('two profiles', () => {
  test('meet at the server: live while online, and after having been offline', async () => {
    const [one, two] = [await newProfile(), await newProfile()]
    await addCard(one, 'Live')
    await column(two, 'To do').getByText('Live').waitFor()
    await workOffline(one)
    await one.getByText('Offline', { exact: true }).waitFor()
    await addCard(one, 'Written offline')
    await addCard(two, 'Written meanwhile')
    await one.getByTestId('pending').getByText('1 pending').waitFor()
    await one.locator('.timeline li[data-status="pending"]').first().waitFor()
    expect(await cards(two, 'To do')).not.toContain('Written offline')
    await workOffline(one)
    await column(two, 'To do').getByText('Written offline').waitFor()
    await column(one, 'To do').getByText('Written meanwhile').waitFor()
    await isSynced(one)
    expect(await cards(one, 'To do')).toEqual(await cards(two, 'To do'))
    await expect.poll(() => one.locator('.timeline li[data-status="pending"]').count()).toBe(0)
    await one.context().close()
    await two.context().close()
  })

  test('a command that the other one made impossible is surfaced until it is dismissed', async () => {
    const [one, two] = [await newProfile(), await newProfile()]
    await one.getByLabel('Limit of Doing').selectOption('limit 2')
    await column(two, 'Doing').getByText('1 / 2').waitFor()
    await workOffline(two)
    await two.getByText('Offline', { exact: true }).waitFor()
    await addCard(two, 'The second of two', 'Doing')
    await addCard(one, 'Was here first', 'Doing')
    await isSynced(one)
    await workOffline(two)
    await two.getByText('Could not be kept: Add card “The second of two” doing').waitFor()
    await two.getByText('“Doing” is full: its limit is 2').waitFor()
    expect(await cards(two, 'Doing')).toEqual(await cards(one, 'Doing'))
    await two.reload()
    await two.getByText('Could not be kept').waitFor()
    await two.getByRole('button', { name: 'Dismiss' }).click()
    await expect.poll(() => two.getByText('Could not be kept').count()).toBe(0)
    await two.reload()
    await synced(two)
    expect(await two.getByText('Could not be kept').count()).toBe(0)
    await one.context().close()
    await two.context().close()
  })
})

describe('integrity', () => {
  test('tampering behind the store is found and located, and a whole log is said to be whole', async () => {
    const page = await newProfile()
    await page.getByRole('button', { name: 'Verify the log' }).click()
    await page.getByText('The log is whole.').waitFor()
    await page.getByRole('button', { name: 'Tamper with the log', exact: true }).click()
    await page.getByText('Does the store notice?').waitFor()
    await page.getByRole('button', { name: 'Verify the log' }).click()
    await page.getByText(/Found at position \d+/).waitFor()
    await page.getByText('This event was changed after it was recorded.').waitFor()
    await page.getByRole('button', { name: 'Undo the tampering' }).click()
    await page.getByRole('button', { name: 'Verify the log' }).click()
    await page.getByText('The log is whole.').waitFor()
    await page.context().close()
  })

  test('long work shows its progress, and the page stays with us', async () => {
    const page = await newProfile()
    await page.getByRole('button', { name: 'Add 10,000 events' }).click()
    await page.getByText(/[\d,]+ of 10,000/).waitFor()
    await addCard(page, 'Added meanwhile')
    await expect.poll(() => page.getByText('of 10,000').count(), { timeout: 60_000 }).toBe(0)
    await page.getByRole('button', { name: 'Verify the log' }).click()
    await page.getByText(/10,\d{3} events were hashed again/).waitFor()
    // The list of the timeline stays short, however long the log is.
    expect(await page.locator('.timeline li').count()).toBeLessThan(100)
    await page.context().close()
  })
})

test('fits a phone: one part at a time, nothing wider than the screen', async () => {
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  })
  const page = await openBoard(context)
  await addCard(page, 'Added on a phone with a title long enough to need a second line')
  for (const part of ['Timeline', 'Integrity', 'Board']) {
    await page.getByRole('navigation').getByRole('button', { name: part }).click()
    await page.getByRole('region', { name: part, exact: true }).waitFor()
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(width).toBeLessThanOrEqual(390)
  }
  await context.close()
})
