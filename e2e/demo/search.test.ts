// Search as a person uses it: rows of a read model, kept by the worker and queried by the page.

import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addCard, button, card, choose, isSent, newBoardName, switchOffline, useDemo } from './demo.ts'

const demo = useDemo()
const board = newBoardName()
let profile: BrowserContext
let page: Page
beforeEach(async () => {
  profile = await demo.newProfile()
  page = await demo.openBoard(profile, board)
})
afterEach(() => profile.close())

const search = (on: Page, text: string) => on.getByLabel('Search cards and notes').fill(text)

const found = (on: Page) =>
  on.getByRole('list', { name: 'Cards found' }).locator('button span').allTextContents()

/** What is found comes by itself, as soon as the rows are there. */
const finds = (on: Page, titles: readonly string[]) => expect.poll(() => found(on)).toEqual(titles)

test('finds a card by the words on it and in its notes, as soon as they are written', async () => {
  await addCard(page, 'Water the marigolds')
  await search(page, 'mari')
  await finds(page, ['Water the marigolds'])
  await search(page, 'watering can')
  await finds(page, [])
  await page.getByLabel('Search cards and notes').press('Escape')
  await card(page, 'Water the marigolds').click()
  await page.getByLabel('New note').fill('The watering can leaks')
  await button(page, 'Add note').click()
  await page.getByRole('dialog').getByText('The watering can leaks').waitFor()
  await button(page, 'Close').click()
  await search(page, 'watering can')
  await finds(page, ['Water the marigolds'])
  await page.getByRole('list', { name: 'Cards found' }).getByRole('button').click()
  await page.getByRole('dialog', { name: 'Card' }).getByText('The watering can leaks').waitFor()
})

test('follows what is renamed and archived, here and on another device, offline too', async () => {
  await addCard(page, 'Sharpen the secateurs')
  await isSent(page)
  const other = await demo.openBoard(profile, board, 'second')
  await search(other, 'secateurs')
  await finds(other, ['Sharpen the secateurs'])
  await switchOffline(page)
  await choose(page, 'Sharpen the secateurs', 'Archive')
  await search(page, 'secateurs')
  await expect
    .poll(() => page.getByRole('list', { name: 'Cards found' }).locator('small').textContent())
    .toContain('archived')
  // The other device does not know yet.
  expect(await other.getByRole('list', { name: 'Cards found' }).locator('small').textContent()).toBe('To do')
  await switchOffline(page)
  await expect
    .poll(() => other.getByRole('list', { name: 'Cards found' }).locator('small').textContent())
    .toContain('archived')
})

test('what was erased is found no more, and the rows are there again after a reload', async () => {
  await addCard(page, 'Call the nursery')
  await search(page, 'nursery')
  await finds(page, ['Call the nursery'])
  await page.reload()
  await search(page, 'nursery')
  await finds(page, ['Call the nursery'])
  await page.locator('.event', { hasText: 'Call the nursery' }).first().click()
  await button(page, 'Erase what it says').click()
  await button(page, 'Erase it everywhere').click()
  await finds(page, [])
})
