// The processes that pages run in, to be stopped and killed.

import { readdirSync, readFileSync } from 'node:fs'
import type { Page } from 'playwright-core'

/** A page whose process stands still until it is told to go on, as that of a tab that the system froze. */
export type FrozenPage = Readonly<{ thaw: () => void }>

/** @param profile that the browser was started on, by which its processes are known */
export async function freezeProcessOf(page: Page, profile: string): Promise<FrozenPage> {
  const pid = await processOf(page, profile)
  process.kill(pid, 'SIGSTOP')
  return { thaw: () => void process.kill(pid, 'SIGCONT') }
}

/** As when its process is killed. Resolves when the browser has noticed. */
export async function crash(page: Page): Promise<void> {
  const crashed = page.waitForEvent('crash')
  const session = await page.context().newCDPSession(page)
  // Never answered.
  session.send('Page.crash').catch(() => {})
  await crashed
}

/** The one that works while the page does, and no other page is asked for anything. */
async function processOf(page: Page, profile: string): Promise<number> {
  const before = new Map(renderersOf(profile).map(pid => [pid, workOf(pid)]))
  await page.evaluate('{ const end = performance.now() + 600; while (performance.now() < end); }')
  const worked = [...before].map(([pid, work]) => ({ pid, work: workOf(pid) - work }))
  const [most] = worked.sort((a, b) => b.work - a.work)
  if (!most) throw new Error('The browser has no processes for pages')
  return most.pid
}

function renderersOf(profile: string): number[] {
  const isRenderer = (pid: string): boolean => {
    const command = textOf(`/proc/${pid}/cmdline`)
    return command.includes('--type=renderer') && command.includes(`--user-data-dir=${profile}`)
  }
  return readdirSync('/proc')
    .filter(name => /^\d+$/.test(name) && isRenderer(name))
    .map(Number)
}

/** Ticks that a process has worked. */
function workOf(pid: number): number {
  const fields = textOf(`/proc/${pid}/stat`)
    .replace(/^.*\) /, '')
    .split(' ')
  return Number(fields[11]) + Number(fields[12])
}

/** Empty for a process that has ended meanwhile. */
function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
