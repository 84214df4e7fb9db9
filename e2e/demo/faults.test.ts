// A person's story with two browsers, while the network and the server do what they do.

import { mkdir } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { expect, test } from 'vitest'
import {
  addCard,
  button,
  card,
  choose,
  column,
  isInPhase,
  isSent,
  newBoardName,
  titles,
  useDemo,
} from './demo.ts'

const demo = useDemo()

/** Of cards in a column: either fills it, and both together want more. */
const LIMIT = 6

/** Pictures of what is shown at each step, for whoever sets this to a folder. */
const PICTURES = process.env['DEMO_PICTURES']

async function picture(page: Page, name: string): Promise<void> {
  if (!PICTURES) return
  await mkdir(PICTURES, { recursive: true })
  await page.screenshot({ path: `${PICTURES}/${name}.png` })
}

const unsent = (page: Page) =>
  page.locator('.card', { has: page.getByRole('img', { name: 'Not on the server yet' }) })

test('two browsers, a server that is killed, a cut connection, and a conflict: nothing is lost, and all is told', async () => {
  const board = newBoardName()
  const [one, two] = [await demo.newProfile(), await demo.newProfile()]
  const [ann, bob] = [await demo.openBoard(one, board), await demo.openBoard(two, board)]
  await column(ann, 'To do').getByLabel('Limit of To do').selectOption(`${LIMIT}`)
  await isSent(ann)
  const before = (await titles(ann, 'To do')).length

  // Both are cut off. What they do is marked as theirs alone.
  await Promise.all([one.setOffline(true), two.setOffline(true)])
  await Promise.all([isInPhase(ann, 'Offline'), isInPhase(bob, 'Offline')])
  for (let n = before; n < LIMIT; n++) await addCard(ann, `Ann ${n}`)
  for (let n = before; n < LIMIT; n++) await addCard(bob, `Bob ${n}`)
  await expect.poll(() => unsent(ann).count()).toBe(LIMIT - before)
  await ann
    .getByTestId('pending')
    .getByText(`${LIMIT - before} waiting`)
    .waitFor()
  await picture(ann, 'offline')

  // There is a network again, and no server.
  await demo.server().kill()
  await Promise.all([one.setOffline(false), two.setOffline(false)])
  await isInPhase(ann, 'No connection')
  await ann
    .getByTestId('retry')
    .getByText(/^next try (in \d+ seconds?|now)$/)
    .waitFor()
  await ann.getByRole('button', { name: /^Sync:/ }).click()
  await ann.getByText('will be sent when the server answers').waitFor()
  await ann.locator('.popover .problem').getByText('nothing needs to be done', { exact: false }).waitFor()
  await picture(ann, 'no-server')
  await ann.keyboard.press('Escape')
  await addCard(ann, 'While it was gone', 'Done')

  // It is back. Both wanted more cards than the column holds: whoever came second is told so.
  await demo.server().startAgain()
  for (const page of [ann, bob]) await page.getByRole('button', { name: /^Sync:/ }).click()
  for (const page of [ann, bob]) await button(page, 'Sync now').click()
  await Promise.all([isSent(ann), isSent(bob)])
  await Promise.all([isInPhase(ann, 'Synced'), isInPhase(bob, 'Synced')])
  await expect.poll(async () => (await titles(bob, 'Done')).includes('While it was gone')).toBe(true)
  await expect.poll(() => titles(ann, 'To do')).toEqual(await titles(bob, 'To do'))
  const kept = await titles(ann, 'To do')
  const wanted = 2 * (LIMIT - before)
  const told = await Promise.all([ann, bob].map(page => page.getByText('Could not be kept').count()))
  expect(kept.length - before + told[0]! + told[1]!).toBe(wanted)
  expect(told[0]! + told[1]!).toBeGreaterThan(0)
  expect(await unsent(ann).count()).toBe(0)
  await picture(told[0]! > 0 ? ann : bob, 'told')

  // The line is cut in the middle of a push: it is sent once more, and is there once.
  let cuts = 0
  await one.route('**/sync/v1/log', async route => {
    if (route.request().method() !== 'POST' || cuts++ > 0) return route.continue()
    await route.fetch()
    await route.abort('connectionreset')
  })
  await choose(ann, 'While it was gone', 'Move to Doing')
  await expect.poll(() => cuts).toBeGreaterThan(0)
  await isInPhase(ann, 'Synced')
  await isSent(ann)
  await expect
    .poll(async () => (await titles(bob, 'Doing')).filter(title => title === 'While it was gone'))
    .toHaveLength(1)
  expect(await card(ann, 'While it was gone').count()).toBe(1)
  await Promise.all([one.close(), two.close()])
})
