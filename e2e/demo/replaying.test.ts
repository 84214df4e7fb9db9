// Smart replay as a person sees it: another release of the app, and what it folds again.

import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addCard, button, isOpen, isSent, newBoardName, useDemo } from './demo.ts'

const demo = useDemo()
let profile: BrowserContext
let page: Page
beforeEach(async () => {
  profile = await demo.newProfile()
  page = await demo.openBoard(profile, newBoardName())
  await isSent(page)
})
afterEach(() => profile.close())

async function addManyEvents(): Promise<void> {
  await button(page, 'Add 10,000 events').click()
  await page.locator('.activity[data-notes="10000"]').waitFor({ state: 'attached', timeout: 60_000 })
  await isSent(page)
}

/** What the page was folded of since it was opened. */
async function folded(reason: string): Promise<Readonly<{ replayed: number; words: string }>> {
  const news = page.locator(`.finding[data-kind="replayed"][data-reason="${reason}"]`)
  await news.waitFor({ state: 'attached', timeout: 60_000 })
  const replayed = Number(await news.getAttribute('data-replayed'))
  return { replayed, words: (await news.textContent()) ?? '' }
}

async function openSmartReplay(): Promise<void> {
  const summary = page.locator('#replaying summary')
  if ((await page.locator('#replaying details').getAttribute('open')) === null) await summary.click()
}

test('a changed handler has folded again what it touched, and the fold ends where the state is what it was', async () => {
  await addManyEvents()
  await openSmartReplay()
  await button(page, 'Change the handler of labels').click()
  await isOpen(page)
  const changed = await folded('handler-changed')
  expect(changed.replayed).toBeGreaterThan(0)
  // Up to the next old snapshot: how far that is depends on how the events came.
  expect(changed.replayed).toBeLessThan(9_900)
  expect(changed.words).toContain('the old snapshots behind are right again')
  await button(page, 'Take the change of CardLabelled back').click()
  await isOpen(page)
  expect((await folded('tail')).replayed).toBe(0)
})

test('a handler of most events has most of them folded again, and what was before it is left alone', async () => {
  await addManyEvents()
  await openSmartReplay()
  await button(page, 'Change the handler of notes').click()
  await page.locator('.activity[data-notes="20000"]').waitFor({ state: 'attached', timeout: 60_000 })
  const changed = await folded('handler-changed')
  expect(changed.replayed).toBeGreaterThanOrEqual(10_000)
  expect(changed.words).toContain('whose handler is another one now')
  await addCard(page, 'What comes later is folded on top')
  await page.getByText('“What comes later is folded on top” was added').waitFor({ state: 'attached' })
})
