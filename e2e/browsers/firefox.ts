// Firefox, driven over WebDriver BiDi.

import { existsSync } from 'node:fs'
import puppeteer, { type Page } from 'puppeteer-core'
import type { DrivenBrowser, Profile, Tab } from './driven-browser.ts'

const PATHS = [
  '/usr/bin/firefox-esr',
  '/usr/bin/firefox',
  '/Applications/Firefox.app/Contents/MacOS/firefox',
  'C:\\Program Files\\Mozilla Firefox\\firefox.exe',
]

const executablePath = process.env['FIREFOX_PATH'] ?? PATHS.find(existsSync)

export const firefox: DrivenBrowser = {
  name: 'Firefox',
  missing: executablePath ? null : 'no Firefox is installed, and FIREFOX_PATH names none',
  launch,
}

async function launch(): Promise<Profile> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: executablePath!,
    headless: true,
  })
  return {
    newTab: async () => tabOf(await browser.newPage()),
    close: () => browser.close(),
  }
}

function tabOf(page: Page): Tab {
  return {
    goto: async url => void (await page.goto(url)),
    reload: async () => void (await page.reload()),
    evaluate: expression => page.evaluate(expression),
  }
}
