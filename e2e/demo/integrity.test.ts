// What is special about the board: its history can be checked, and a forged one is caught.

import type { BrowserContext, Locator, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addCard, button, isInPhase, isOpen, isSent, newBoardName, switchOffline, useDemo } from './demo.ts'

const demo = useDemo()
let profile: BrowserContext
let page: Page
let verdict: Locator
beforeEach(async () => {
  profile = await demo.newProfile()
  page = await demo.openBoard(profile, newBoardName())
  verdict = page.locator('.finding[data-verdict="damaged"]')
  await isSent(page)
})
afterEach(() => profile.close())

const check = (): Promise<void> => button(page, 'Check the history').click()
const isGenuine = (): Promise<void> => page.getByText('The history is genuine.').waitFor()
const caughtAt = async (): Promise<string> => {
  const words = await page.getByText(/^Caught at position/).textContent()
  return /\d+/.exec(words!)![0]
}

test('a forgery behind the store is caught where it was made, and put right from the server', async () => {
  await check()
  await isGenuine()
  await button(page, 'Forge an event').click()
  const forged = await page.locator('.edit del').textContent()
  await page.getByText(/^FORGED/).waitFor()
  await check()
  const position = await caughtAt()
  await page.getByText('It has been put right').waitFor()
  await verdict.getByText('they stand in their places again').waitFor()
  await button(page, 'Show it in the timeline').click()
  const row = page.locator('.event[data-caught]')
  await row.waitFor()
  expect(await row.getAttribute('data-position')).toBe(position)
  await expect.poll(() => row.textContent()).toContain(forged)
  await check()
  await isGenuine()
  await verdict.getByText('Understood').click()
  await expect.poll(() => verdict.count()).toBe(0)
  await button(page, 'Forge an event').waitFor()
})

test('offline, a forgery is caught, and put right as soon as there is a server again', async () => {
  await switchOffline(page)
  await isInPhase(page, 'Offline')
  await button(page, 'Forge an event').click()
  await page.getByText(/^FORGED/).waitFor()
  await check()
  await caughtAt()
  await verdict.getByText('as soon as the server can be reached').waitFor()
  await switchOffline(page)
  await page.getByText('It has been put right').waitFor()
  await check()
  await isGenuine()
})

test('a forgery of a chosen event is caught after a reload, and can be taken back then', async () => {
  const row = page.locator('.event', { hasText: 'CardAdded “Open the board”' })
  const position = await row.getAttribute('data-position')
  await switchOffline(page)
  await isInPhase(page, 'Offline')
  await row.getByRole('button').click()
  await button(page, 'Forge this event').click()
  await page.getByText(/^FORGED/).waitFor()
  await page.reload()
  await isOpen(page)
  await check()
  expect(await caughtAt()).toBe(position)
  await button(page, 'Put it right').click()
  await check()
  await isGenuine()
})

test('long work shows its progress, and the page stays with us', async () => {
  await button(page, 'Add 10,000 events').click()
  await page.getByText(/[\d,]+ of 10,000/).waitFor()
  await addCard(page, 'Added meanwhile')
  await expect.poll(() => page.getByText('of 10,000').count(), { timeout: 60_000 }).toBe(0)
  await check()
  await page.getByText(/^10,\d{3} events were read back/).waitFor()
  // However long the log is, the page holds a stretch of it.
  for (let n = 0; n < 6; n++) {
    const before = await page.locator('.event').last().getAttribute('data-position')
    await button(page, 'Show earlier events').click()
    await expect.poll(() => page.locator('.event').last().getAttribute('data-position')).not.toBe(before)
  }
  expect(await page.locator('.event').count()).toBeLessThanOrEqual(200)
  await button(page, 'Back to the newest').click()
  await page
    .locator('.event')
    .first()
    .getByText(/Added meanwhile|Note 10000/)
    .waitFor()
})

test('long work can be stopped', async () => {
  await pressAsSoonAsShown(page, 'Stop')
  await button(page, 'Add 10,000 events').click()
  await expect.poll(() => page.getByText('of 10,000').count()).toBe(0)
  await check()
  await isGenuine()
  expect(await page.getByText(/^10,\d{3} events/).count()).toBe(0)
})

/** From within the page: by the time that a driver has found the button, fast work may be over. */
const pressAsSoonAsShown = (page: Page, name: string): Promise<void> =>
  page.evaluate(text => {
    const observer = new MutationObserver(() => {
      const shown = [...document.querySelectorAll('button')].find(({ textContent }) => textContent === text)
      if (!shown) return
      observer.disconnect()
      shown.click()
    })
    observer.observe(document.body, { childList: true, subtree: true })
  }, name)
