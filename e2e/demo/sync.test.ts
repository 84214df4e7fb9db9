// The board on several tabs and devices, and without a connection.

import type { BrowserContextOptions } from 'playwright-core'
import { afterEach, describe, expect, test } from 'vitest'
import {
  addCard,
  button,
  card,
  column,
  isInPhase,
  isOpen,
  isSent,
  newBoardName,
  pendingEvents,
  switchOffline,
  titles,
  useDemo,
} from './demo.ts'

const demo = useDemo()
const openContexts: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of openContexts.splice(0)) await close()
})

async function newProfile(options?: BrowserContextOptions) {
  const profile = await demo.newProfile(options)
  openContexts.push(() => profile.close())
  return profile
}

async function twoProfiles() {
  const board = newBoardName()
  const [one, two] = [await newProfile(), await newProfile()]
  return [await demo.openBoard(one, board), await demo.openBoard(two, board)] as const
}

describe('two tabs of one profile', () => {
  test('see each other at once, and both know that all is synced', async () => {
    const [profile, board] = [await newProfile(), newBoardName()]
    const [one, two] = [await demo.openBoard(profile, board), await demo.openBoard(profile, board)]
    await addCard(one, 'From the first tab')
    await column(two, 'To do').getByText('From the first tab').waitFor()
    await addCard(two, 'From the second tab')
    await column(one, 'To do').getByText('From the second tab').waitFor()
    await Promise.all([isInPhase(one, 'Synced'), isInPhase(two, 'Synced')])
  })

  test('go offline together, and are so after a reload', async () => {
    const [profile, board] = [await newProfile(), newBoardName()]
    const [one, two] = [await demo.openBoard(profile, board), await demo.openBoard(profile, board)]
    await isSent(one)
    await switchOffline(one)
    await Promise.all([isInPhase(one, 'Offline'), isInPhase(two, 'Offline')])
    await one.reload()
    await isOpen(one)
    await isInPhase(one, 'Offline')
    await addCard(one, 'Waits')
    await two.getByTestId('pending').getByText('1 waiting').waitFor()
    await switchOffline(two)
    await Promise.all([isSent(one), isSent(two)])
    await Promise.all([isInPhase(one, 'Synced'), isInPhase(two, 'Synced')])
  })
})

describe('two profiles', () => {
  test('meet at the server: live while online, and after having been offline', async () => {
    const [one, two] = await twoProfiles()
    await addCard(one, 'Live')
    await column(two, 'To do').getByText('Live').waitFor()
    await switchOffline(one)
    await isInPhase(one, 'Offline')
    await addCard(one, 'Written offline')
    await addCard(two, 'Written meanwhile')
    await one.getByTestId('pending').getByText('1 waiting').waitFor()
    await expect.poll(() => pendingEvents(one)).toBe(1)
    expect(await titles(two, 'To do')).not.toContain('Written offline')
    await switchOffline(one)
    await column(two, 'To do').getByText('Written offline').waitFor()
    await column(one, 'To do').getByText('Written meanwhile').waitFor()
    await isSent(one)
    expect(await titles(one, 'To do')).toEqual(await titles(two, 'To do'))
    await expect.poll(() => pendingEvents(one)).toBe(0)
  })

  test('a command that the other one made impossible is surfaced until it is dismissed', async () => {
    const [one, two] = await twoProfiles()
    await column(two, 'Doing').getByText('2 / 3').waitFor()
    await switchOffline(two)
    await isInPhase(two, 'Offline')
    await addCard(two, 'The third of three', 'Doing')
    await addCard(one, 'Was here first', 'Doing')
    await isSent(one)
    await switchOffline(two)
    const notice = two.getByRole('alert').filter({ hasText: 'Could not be kept' })
    await notice.getByText('add “The third of three” to Doing').waitFor()
    await notice.getByText('“Doing” is full: its limit is 3').waitFor()
    const rejected = two.locator('.event[data-status="rejected"]').filter({ hasText: 'The third of three' })
    await rejected.getByText('rejected', { exact: true }).waitFor()
    await rejected.getByText('“Doing” is full: its limit is 3').waitFor()
    expect(await two.locator('.events').getByText('The third of three').count()).toBe(0)
    expect(await titles(two, 'Doing')).toEqual(await titles(one, 'Doing'))
    await two.reload()
    await notice.waitFor()
    await notice.getByRole('button', { name: 'Dismiss' }).click()
    await expect.poll(() => notice.count()).toBe(0)
    await expect.poll(() => rejected.count()).toBe(0)
    await two.reload()
    await isOpen(two)
    await isInPhase(two, 'Synced')
    expect(await notice.count()).toBe(0)
  })

  test('a command that could not be kept succeeds when there is room again', async () => {
    const [one, two] = await twoProfiles()
    await isSent(two)
    await switchOffline(two)
    await isInPhase(two, 'Offline')
    await addCard(two, 'Tried twice', 'Doing')
    await addCard(one, 'Was here first', 'Doing')
    await isSent(one)
    await switchOffline(two)
    await button(two, 'Try again').waitFor()
    await one.getByLabel('Limit of Doing').selectOption('no limit')
    await expect.poll(() => two.getByLabel('Limit of Doing').inputValue()).toBe('')
    await button(two, 'Try again').click()
    await column(one, 'Doing').getByText('Tried twice').waitFor()
    await expect.poll(() => two.getByText('Could not be kept').count()).toBe(0)
  })
})

test('a second device in the same browser has a log of its own', async () => {
  const [profile, board] = [await newProfile(), newBoardName()]
  const one = await demo.openBoard(profile, board)
  await isSent(one)
  await one.getByRole('button', { name: /^Sync:/ }).click()
  const opened = profile.waitForEvent('page')
  await one.getByRole('link', { name: 'Open a second device' }).click()
  const two = await opened
  await isOpen(two)
  await switchOffline(two)
  await isInPhase(two, 'Offline')
  await addCard(two, 'On the second device')
  await isInPhase(one, 'Synced')
  expect(await titles(one, 'To do')).not.toContain('On the second device')
  await switchOffline(two)
  await column(one, 'To do').getByText('On the second device').waitFor()
})

test('opens without a connection, and sends what was done there when it is back', async () => {
  const [profile, board] = [await newProfile(), newBoardName()]
  const page = await demo.openBoard(profile, board)
  await isSent(page)
  await page.evaluate(() => navigator.serviceWorker.ready)
  await profile.setOffline(true)
  await page.reload()
  await isOpen(page)
  await isInPhase(page, 'Offline')
  await addCard(page, 'On the train')
  await page.getByTestId('pending').getByText('1 waiting').waitFor()
  await profile.setOffline(false)
  await isSent(page)
  const elsewhere = await demo.openBoard(await newProfile(), board)
  await column(elsewhere, 'To do').getByText('On the train').waitFor()
})

test('an event is pending until it is sent, sent until the server shows it, and then confirmed', async () => {
  // A service worker would fetch past the test.
  const [profile, board] = [await newProfile({ serviceWorkers: 'block' }), newBoardName()]
  const page = await demo.openBoard(profile, board)
  await isSent(page)
  await page.getByRole('button', { name: /^Sync:/ }).click()
  expect(await page.getByTestId('oldest').count()).toBe(0)
  await page
    .getByTestId('contact')
    .getByText(/just now|seconds ago/)
    .waitFor()
  await switchOffline(page)
  await isInPhase(page, 'Offline')
  await addCard(page, 'On its way')
  const event = page.locator('.event').filter({ hasText: 'On its way' })
  await event.getByText('persisted', { exact: true }).waitFor()
  await page.getByRole('button', { name: /^Sync:/ }).click()
  await page
    .getByTestId('oldest')
    .getByText(/just now|seconds ago/)
    .waitFor()

  // Somebody else is first, in another stream: the receipt does not say where the event stands, only the next pull does.
  const elsewhere = await demo.openBoard(await newProfile(), board)
  let letPullsThrough = (): void => {}
  const open = new Promise<void>(resolve => {
    letPullsThrough = resolve
  })
  let isPushed = false
  await profile.route('**/v1/log*', async route => {
    if (route.request().method() === 'POST') {
      await card(elsewhere, 'Write a note on me').click()
      await elsewhere.getByLabel('New note').fill('First')
      await button(elsewhere, 'Add note').click()
      const note = elsewhere.locator('.event').filter({ hasText: 'NoteAdded' })
      await note.getByText('confirmed', { exact: true }).waitFor()
      isPushed = true
    } else if (isPushed) await open
    await route.continue()
  })
  await switchOffline(page)
  await event.getByText('pushed', { exact: true }).waitFor()
  letPullsThrough()
  await event.getByText('confirmed', { exact: true }).waitFor()
})
