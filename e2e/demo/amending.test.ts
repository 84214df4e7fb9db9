// History amended by a person: the board is as if an event had not happened, and the event is still there.

import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  addCard,
  button,
  choose,
  column,
  isSent,
  newBoardName,
  switchOffline,
  titles,
  useDemo,
} from './demo.ts'

const demo = useDemo()
let board: string
let profile: BrowserContext
let page: Page
beforeEach(async () => {
  board = newBoardName()
  profile = await demo.newProfile()
  page = await demo.openBoard(profile, board)
})
afterEach(() => profile.close())

const eventRow = (on: Page, what: string) => on.locator('.event', { hasText: what }).first()

async function leaveOut(on: Page, what: string): Promise<void> {
  await eventRow(on, what).getByRole('button').click()
  await button(on, 'Leave it out of history').click()
  await button(on, 'Amend the history').click()
}

test('an event that is left out is taken back on the board, stays in the timeline, and the history checks out', async () => {
  await addCard(page, 'Never ordered')
  await choose(page, 'Never ordered', 'Move to Doing')
  await column(page, 'Doing').getByText('Never ordered').waitFor()
  await leaveOut(page, 'CardMoved')
  await expect.poll(() => titles(page, 'To do')).toContain('Never ordered')
  expect(await titles(page, 'Doing')).not.toContain('Never ordered')
  await page.locator('.event[data-left-out]', { hasText: 'CardMoved' }).waitFor()
  await eventRow(page, 'CardMoved').getByRole('button').click()
  await page.getByText('the board is as if this had not happened').waitFor()
  expect(await button(page, 'Leave it out of history').count()).toBe(0)
  await button(page, 'Close').click()
  await button(page, 'Check the history').click()
  await page.locator('.finding[data-kind="genuine"]').waitFor()
})

test('another device follows, and what was amended offline is amended when it is back', async () => {
  await addCard(page, 'Planted twice')
  await isSent(page)
  const other = await demo.openBoard(profile, board, 'second')
  await column(other, 'To do').getByText('Planted twice').waitFor()
  await switchOffline(page)
  await leaveOut(page, '“Planted twice” in To do')
  await expect.poll(() => titles(page, 'To do')).not.toContain('Planted twice')
  expect(await titles(other, 'To do')).toContain('Planted twice')
  // Somebody else goes on meanwhile.
  await addCard(other, 'Planted once')
  await isSent(other)
  await switchOffline(page)
  await expect.poll(() => titles(other, 'To do')).not.toContain('Planted twice')
  await expect.poll(() => titles(page, 'To do')).toContain('Planted once')
  await other.locator('.event[data-left-out]', { hasText: 'Planted twice' }).waitFor()
})
