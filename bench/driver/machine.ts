// What the figures were measured on.

import { arch, cpus, platform, totalmem } from 'node:os'
import { chromium } from 'playwright-core'
import { CHROMIUM_PATH } from '../../e2e/support/chromium.ts'
import type { Machine } from '../report/result.ts'

export function machine(): Machine {
  const { model } = cpus()[0]!
  return {
    platform: platform(),
    arch: arch(),
    cores: cpus().length,
    model,
    memory: totalmem(),
    node: process.version,
  }
}

export async function browserVersion(): Promise<string> {
  const browser = await chromium.launch({ executablePath: CHROMIUM_PATH, args: ['--no-sandbox'] })
  const version = browser.version()
  await browser.close()
  return `Chromium ${version}`
}
