// The board on a phone: narrow, and with fingers.

import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addCard, card, choose, column, newBoardName, titles, useDemo } from './demo.ts'

const WIDTH = 390
const demo = useDemo()
let profile: BrowserContext
let page: Page
beforeEach(async () => {
  profile = await demo.newProfile({ viewport: { width: WIDTH, height: 844 }, hasTouch: true, isMobile: true })
  page = await demo.openBoard(profile, newBoardName())
})
afterEach(() => profile.close())

test('shows one part at a time, and nothing is wider than the screen', async () => {
  await addCard(page, 'Added on a phone with a title long enough to need a second line')
  for (const part of ['Timeline', 'Integrity', 'Board']) {
    await page.getByRole('navigation').getByRole('button', { name: part }).tap()
    await page.getByRole('region', { name: part, exact: true }).waitFor()
    const width = await page.evaluate(() => document.documentElement.scrollWidth)
    expect(width).toBeLessThanOrEqual(WIDTH)
  }
})

test('moves a card from its menu', async () => {
  await choose(page, 'Open a second device and edit there', 'Move to Doing')
  await expect.poll(() => titles(page, 'Doing')).toContain('Open a second device and edit there')
})

test('a finger that rests on a card drags it, across what the screen does not show', async () => {
  const finger = await fingerOn(page)
  const { x, y } = (await card(page, 'Open a second device and edit there').boundingBox())!
  await finger.press(x + 40, y + 10)
  await page.locator('.drag-picture').waitFor()
  await finger.moveTo(WIDTH - 10, y + 10)
  const isDoneShown = async (): Promise<boolean> => (await column(page, 'Done').boundingBox())!.x < WIDTH / 2
  await expect.poll(isDoneShown).toBe(true)
  await finger.lift()
  await expect.poll(() => titles(page, 'Done')).toContain('Open a second device and edit there')
})

test('a finger that swipes over a card scrolls', async () => {
  const finger = await fingerOn(page)
  const before = await titles(page, 'To do')
  const { x, y } = (await card(page, 'Open a second device and edit there').boundingBox())!
  await finger.press(x + 200, y + 10)
  for (let step = 1; step <= 6; step++) await finger.moveTo(x + 200 - step * 30, y + 10)
  await finger.lift()
  await expect.poll(() => page.locator('#columns').evaluate(columns => columns.scrollLeft)).toBeGreaterThan(0)
  expect(await titles(page, 'To do')).toEqual(before)
})

async function fingerOn(page: Page) {
  const session = await page.context().newCDPSession(page)
  const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', ...touchPoints: { x: number; y: number }[]) =>
    session.send('Input.dispatchTouchEvent', { type, touchPoints })
  return {
    press: (x: number, y: number) => touch('touchStart', { x, y }),
    moveTo: (x: number, y: number) => touch('touchMove', { x, y }),
    lift: () => touch('touchEnd'),
  }
}
