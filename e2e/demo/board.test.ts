// The board on one device.

import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addCard, button, card, choose, column, isOpen, newBoardName, titles, useDemo } from './demo.ts'

const demo = useDemo()
let profile: BrowserContext
let page: Page
beforeEach(async () => {
  profile = await demo.newProfile()
  page = await demo.openBoard(profile, newBoardName())
})
afterEach(() => profile.close())

test('keeps what was done over a reload', async () => {
  await addCard(page, 'Kept over a reload')
  await choose(page, 'Kept over a reload', 'Move to Doing')
  await column(page, 'Doing').getByText('Kept over a reload').waitFor()
  await page.reload()
  await isOpen(page)
  expect(await titles(page, 'Doing')).toContain('Kept over a reload')
  expect(await titles(page, 'To do')).not.toContain('Kept over a reload')
})

test('moves a card to the place it is dragged to', async () => {
  await addCard(page, 'First', 'Done')
  await addCard(page, 'Last', 'Done')
  await card(page, 'Drag me to another column').hover()
  await page.mouse.down()
  const { x, y, width } = (await card(page, 'Last').boundingBox())!
  await page.mouse.move(x + width / 2, y + 2, { steps: 5 })
  await page.locator('.drop-mark').waitFor()
  await page.mouse.up()
  await expect
    .poll(() => titles(page, 'Done'))
    .toEqual(['Open the board', 'First', 'Drag me to another column', 'Last'])
  expect(await page.getByRole('dialog').count()).toBe(0)
})

test('leaves a card where it was when the drag is called off', async () => {
  const before = await titles(page, 'Doing')
  await card(page, 'Drag me to another column').hover()
  await page.mouse.down()
  await column(page, 'Done').hover()
  await page.keyboard.press('Escape')
  await page.mouse.up()
  expect(await page.locator('.drag-picture').count()).toBe(0)
  expect(await titles(page, 'Doing')).toEqual(before)
})

test('moves a card by keys alone, with the focus on it', async () => {
  await card(page, 'Drag me to another column').focus()
  await page.keyboard.press('Alt+ArrowRight')
  await column(page, 'Done').getByText('Drag me to another column').waitFor()
  await expect
    .poll(() => page.evaluate(() => document.activeElement?.textContent))
    .toBe('Drag me to another column')
  await page.keyboard.press('Alt+ArrowDown')
  await expect.poll(() => titles(page, 'Done')).toEqual(['Open the board', 'Drag me to another column'])
  await page.getByText('“Drag me to another column” moved to Done, place 2').waitFor()
})

test('refuses what its rules do not allow, and says why', async () => {
  await page.getByLabel('Limit of Doing').selectOption('limit 2')
  await column(page, 'Doing').getByText('2 / 2').waitFor()
  await page.getByLabel('New card in Doing').fill('One too many')
  await button(page, 'Add to Doing').click()
  await page.getByRole('alert').getByText('“Doing” is full: its limit is 2').waitFor()
  expect(await titles(page, 'Doing')).toEqual(['Drag me to another column', 'Write a note on me'])
  await page.getByLabel('Limit of Doing').selectOption('limit 1')
  await page.getByText('“Doing” holds 2 cards already').waitFor()
  expect(await page.getByLabel('Limit of Doing').inputValue()).toBe('2')
})

test('keeps the notes of a card in a stream of their own', async () => {
  await card(page, 'Write a note on me').click()
  await page.getByLabel('New note').fill('Remember the milk')
  await button(page, 'Add note').click()
  await page.getByRole('dialog').getByText('Remember the milk').waitFor()
  await button(page, 'Close').click()
  await column(page, 'Doing').getByText('✎ 1').waitFor()
  const newest = page.locator('.event').first()
  await newest.getByText('NoteAdded').waitFor()
  expect(await newest.textContent()).toContain('card v1')
})

test('takes an archived card back', async () => {
  await choose(page, 'Replay the history of this board', 'Archive')
  await expect.poll(() => titles(page, 'To do')).not.toContain('Replay the history of this board')
  await button(page, 'Undo').click()
  await expect
    .poll(() => titles(page, 'To do').then(all => all.at(-1)))
    .toBe('Replay the history of this board')
})

test('replays its history, and comes back to the present', async () => {
  await addCard(page, 'Latest')
  const present = await titles(page, 'To do')
  await button(page, '▷ Replay its history').click()
  const slider = page.getByRole('slider')
  await slider.fill('1')
  await expect.poll(() => titles(page, 'To do')).toEqual([present[0]])
  expect(await titles(page, 'Done')).toEqual([])
  await button(page, 'Back to now').click()
  expect(await titles(page, 'To do')).toEqual(present)
})

test('walks the chain from an event to the one before it', async () => {
  await page.locator('.event-open').first().click()
  const dialog = page.getByRole('dialog')
  const hashes = (): Promise<string[]> => dialog.locator('.seal code').allTextContents()
  const [, previous] = await hashes()
  await dialog.getByRole('button', { name: 'Go to the event before' }).click()
  await expect.poll(() => hashes().then(all => all[0])).toBe(previous)
})

test('goes on when its worker is killed', async () => {
  await addCard(page, 'Before')
  await page.workers()[0]!.evaluate(() => self.close())
  await addCard(page, 'After')
  expect(await titles(page, 'To do')).toEqual(expect.arrayContaining(['Before', 'After']))
  await page.getByText('The store’s worker died and was replaced').waitFor()
})
