// What a person erases is gone: from the page, from the browser's database, from the server, from the other device.

import type { BrowserContext, Page } from 'playwright-core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { addCard, button, isSent, newBoardName, titles, useDemo } from './demo.ts'

const SECRET = 'Call Mrs Somebody back'

const demo = useDemo()
const profiles: BrowserContext[] = []
let board: string
beforeEach(() => {
  board = newBoardName()
})
afterEach(async () => {
  for (const profile of profiles.splice(0)) await profile.close()
})

async function openDevice(): Promise<Page> {
  const profile = await demo.newProfile()
  profiles.push(profile)
  return demo.openBoard(profile, board)
}

/** Names of the databases of a page, each with the stores and keys under which the text stands. */
function placesInDatabases(page: Page, text: string): Promise<string[]> {
  return page.evaluate(async wanted => {
    const done = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result)
        request.onerror = () => reject(request.error)
      })
    const textIn = (value: unknown): string => {
      if (value instanceof Uint8Array) return new TextDecoder('latin1').decode(value)
      if (value instanceof ArrayBuffer) return textIn(new Uint8Array(value))
      if (typeof value === 'object' && value !== null) return Object.values(value).map(textIn).join(' ')
      return String(value)
    }
    const places: string[] = []
    for (const { name } of await indexedDB.databases()) {
      const database = await done(indexedDB.open(name!))
      for (const storeName of database.objectStoreNames) {
        const store = database.transaction(storeName).objectStore(storeName)
        const [keys, values] = await Promise.all([done(store.getAllKeys()), done(store.getAll())])
        for (const [i, value] of values.entries()) {
          if (textIn(value).includes(wanted)) places.push(`${name} ${storeName} ${String(keys[i])}`)
        }
      }
      database.close()
    }
    return places
  }, text)
}

/** The server's log as it gives it out. */
const servedLog = (page: Page): Promise<string> =>
  page.evaluate(async token => {
    const answer = await fetch('/sync/v1/log', { headers: { authorization: `Bearer ${token}` } })
    return new TextDecoder('latin1').decode(await answer.arrayBuffer())
  }, board)

test('an event is erased here, on the server and on another device, and the history still checks out', async () => {
  const [page, other] = [await openDevice(), await openDevice()]
  await addCard(page, SECRET)
  await addCard(page, 'Another card')
  await isSent(page)
  await expect.poll(() => titles(other, 'To do'), { timeout: 20_000 }).toContain('Another card')
  expect(await servedLog(page)).toContain(SECRET)
  expect(await placesInDatabases(page, SECRET)).not.toEqual([])
  expect(await placesInDatabases(other, SECRET)).not.toEqual([])

  await page.locator('.event-open', { hasText: SECRET }).click()
  await button(page, 'Erase what it says').click()
  await button(page, 'Erase it everywhere').click()
  await page.getByText('What the event said was erased').first().waitFor()

  for (const device of [page, other]) {
    await expect.poll(() => titles(device, 'To do'), { timeout: 20_000 }).not.toContain(SECRET)
    await device.getByText('What one event said was erased').waitFor()
    await expect.poll(() => device.locator('.event', { hasText: SECRET }).count()).toBe(0)
    await expect.poll(() => placesInDatabases(device, SECRET), { timeout: 20_000 }).toEqual([])
    expect(await titles(device, 'To do')).toContain('Another card')
  }
  expect(await servedLog(page)).not.toContain(SECRET)
  for (const device of [page, other]) {
    await button(device, 'Check the history').click()
    await device.getByText('The history is genuine.').waitFor()
  }
  await page.reload()
  await page.getByText('What one event said was erased').waitFor()
  expect(await titles(page, 'To do')).not.toContain(SECRET)

  const late = await openDevice()
  await expect.poll(() => titles(late, 'To do'), { timeout: 20_000 }).toContain('Another card')
  await late.getByText('What one event said was erased').waitFor()
  expect(await placesInDatabases(late, SECRET)).toEqual([])
})

test('what is asked to be kept is kept', async () => {
  const page = await openDevice()
  await addCard(page, SECRET)
  await page.locator('.event-open', { hasText: SECRET }).click()
  await button(page, 'Erase what it says').click()
  await button(page, 'Keep it').click()
  expect(await button(page, 'Erase it everywhere').count()).toBe(0)
  await button(page, 'Close').click()
  expect(await titles(page, 'To do')).toContain(SECRET)
})
