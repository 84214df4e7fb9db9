// What the board can show to others, and what it finds out about its own database.

import { readFile, writeFile } from 'node:fs/promises'
import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { streamdingo } from '../support/cli.ts'
import {
  addCard,
  button,
  isInPhase,
  isOpen,
  isSent,
  newBoardName,
  switchOffline,
  titles,
  useDemo,
} from './demo.ts'

const demo = useDemo()
let profile: BrowserContext
let page: Page
beforeEach(async () => {
  profile = await demo.newProfile()
  page = await demo.openBoard(profile, newBoardName())
  await isSent(page)
})
afterEach(() => profile.close())

const isWitnessed = (): Promise<void> => page.getByTestId('witnessed').waitFor()

/** Presses a button after which the page begins anew. */
async function intrude(name: string): Promise<void> {
  await page.getByText('Play the intruder').click()
  await Promise.all([page.waitForEvent('load'), button(page, name).click()])
  await isOpen(page)
}

const verdict = (finding: string) => page.locator(`.finding[data-verdict="${finding}"]`)

test('a proof of an event is saved, and holds; changed, it does not', async () => {
  await page.locator('.event-open').first().click()
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    button(page, 'Download a proof').click(),
  ])
  expect(download.suggestedFilename()).toMatch(/\.tlog-proof$/)
  await button(page, 'Close').click()
  const text = await readFile(await download.path(), 'utf8')
  const checkFile = (content: string) =>
    page
      .getByLabel('Check a proof')
      .setInputFiles({ name: 'a.tlog-proof', mimeType: 'text/plain', buffer: Buffer.from(content) })
  await checkFile(text)
  await page.getByText('The proof holds: this device has signed it.').waitFor()
  await checkFile(text.replace(/^index \d+$/m, 'index 9999'))
  await page.getByText('The proof does not hold.').waitFor()
})

test('the whole history is saved as a file, which holds by the key of the device', async () => {
  await addCard(page, 'In the file')
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    button(page, 'Save the whole history').click(),
  ])
  expect(download.suggestedFilename()).toMatch(/^test-.*\.streamdingo$/)
  const path = await download.path()
  expect((await readFile(path)).includes('In the file')).toBe(true)
  const { code, out } = await streamdingo(['verify', path])
  // The key of this device is known to nobody but itself.
  expect(code).toBe(4)
  expect(out).toContain('An exported log')
  expect(out).toMatch(/ok {3}log\n/)
  const bytes = await readFile(path)
  bytes[bytes.length - 100]! ^= 1
  await writeFile(path, bytes)
  expect((await streamdingo(['verify', path])).code).toBe(1)
})

test('a saved history is opened on another device, and what was only in it goes to the server', async () => {
  const board = new URL(page.url()).searchParams.get('board')!
  await switchOffline(page)
  await addCard(page, 'Only in the file')
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    button(page, 'Save the whole history').click(),
  ])
  const file = await readFile(await download.path())
  await page.close()
  const profile2 = await demo.newProfile()
  const other = await demo.openBoard(profile2, board)
  await isSent(other)
  const choose = (buffer: Buffer) =>
    other
      .getByLabel('Open a saved history')
      .setInputFiles({ name: 'board.streamdingo', mimeType: 'application/octet-stream', buffer })
  const changed = Buffer.from(file)
  changed[changed.indexOf('Only in the file')]! ^= 1
  await choose(changed)
  await other.getByText('The server has all of that.').waitFor()
  await button(other, 'Open it').click()
  await other.getByText('The file was not opened, and nothing was changed.').waitFor()
  await Promise.all([other.waitForEvent('load'), button(other, 'Back to the board').click()])
  await isOpen(other)
  expect(await titles(other, 'To do')).not.toContain('Only in the file')
  await choose(file)
  await Promise.all([other.waitForEvent('load'), button(other, 'Open it').click()])
  await isOpen(other)
  await expect.poll(() => titles(other, 'To do')).toContain('Only in the file')
  await isSent(other)
  await button(other, 'Check the history').click()
  await other.getByText('The history is genuine.').waitFor()
  const third = await demo.newProfile()
  const reader = await demo.openBoard(third, board)
  await expect.poll(() => titles(reader, 'To do'), { timeout: 20_000 }).toContain('Only in the file')
  await profile2.close()
  await third.close()
})

test('a browser that does not promise to keep the board is told of, where sync is explained', async () => {
  await addCard(page, 'Something to lose')
  await page.getByRole('button', { name: /^Sync:/ }).click()
  await page.getByTestId('room').getByText('This browser may clear the board').waitFor()
})

test('an emptied database is told, and what the server has comes again', async () => {
  await addCard(page, 'Kept by the server')
  await isSent(page)
  await isWitnessed()
  await intrude('Empty the database')
  const told = verdict('wiped')
  await told.getByText('This browser’s database was emptied.').waitFor()
  await told.getByText('The server has all of them.').waitFor()
  await expect.poll(() => titles(page, 'To do'), { timeout: 20_000 }).toContain('Kept by the server')
  await told.getByRole('button', { name: 'Understood' }).click()
  await expect.poll(() => told.count()).toBe(0)
  await page.reload()
  await isOpen(page)
  expect(await told.count()).toBe(0)
})

test('an old copy that is put back is told, and the newer events come again', async () => {
  await isWitnessed()
  await intrude('Keep a copy of the database')
  expect(await page.locator('#integrity .finding').count()).toBe(0)
  await addCard(page, 'After the copy')
  await isSent(page)
  await intrude('Put the old copy back')
  await verdict('truncated').getByText('The end of this browser’s database was cut off.').waitFor()
  await expect.poll(() => titles(page, 'To do'), { timeout: 20_000 }).toContain('After the copy')
})

test('a forged history is begun anew from the server', async () => {
  await addCard(page, 'Kept by the server')
  await isSent(page)
  // Online it would be put right by itself.
  await switchOffline(page)
  await isInPhase(page, 'Offline')
  await button(page, 'Forge an event').click()
  await page.getByText(/^FORGED/).waitFor()
  await button(page, 'Check the history').click()
  await page.getByText(/^Caught at position/).waitFor()
  await Promise.all([page.waitForEvent('load'), button(page, 'Begin anew from the server').click()])
  await switchOffline(page)
  await isOpen(page)
  await verdict('damaged').getByText('what could be read of the rest was kept').waitFor()
  await expect.poll(() => titles(page, 'To do'), { timeout: 20_000 }).toContain('Kept by the server')
  await isSent(page)
  await button(page, 'Check the history').click()
  await page.getByText('The history is genuine.').waitFor()
  expect(await page.locator('.event', { hasText: 'FORGED' }).count()).toBe(0)
})
