// The real input: every keystroke of a paper, one event an edit, from the page through the worker into IndexedDB, to
// a server and into a second profile. Used by `npm run bench -- paper` and by the end-to-end test.

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Browser, Page } from 'playwright-core'
import type { VerifyReport } from 'streamdingo'
import { launchChromium, openHarness } from '../e2e/support/chromium.ts'
import { inHarness } from '../e2e/support/in-harness.ts'
import { serveHarness, startDemoServer } from '../e2e/support/servers.ts'

const FILE = 'automerge-paper.json.gz'
const BATCH = 500
/** Edits handed from the driver to the page in one call: that is the driver's cost, and not timed. */
const HANDOVER = 20_000

type Edit = readonly [position: number, deleted: number, inserted: string]
export type Paper = Readonly<{ edits: readonly Edit[]; endContent: string }>

export type Phase = Readonly<{ name: string; ms: number; events: number; detail: string }>

export type PaperRun = Readonly<{
  events: number
  phases: readonly Phase[]
  first: Device
  second: Device
  reopenedText: string
  verified: VerifyReport
  heapBytes: number | null
  storedBytes: number | null
}>

/** What one profile holds at the end. */
export type Device = Readonly<{ text: string; stateHash: string; confirmedPosition: number; pending: number }>

/** Null when `DATA_DIR` is unset or does not hold the file. */
export async function readPaper(): Promise<Paper | null> {
  const folder = process.env['DATA_DIR']
  const packed = folder && (await readFile(join(folder, FILE)).catch(() => null))
  if (!packed) return null
  const { txns, endContent } = JSON.parse(String(await promisify(gunzip)(packed))) as {
    txns: { patches: Edit[] }[]
    endContent: string
  }
  return { edits: txns.flatMap(({ patches }) => patches), endContent }
}

export async function runPaper(
  { edits }: Paper,
  onPhase: (phase: Phase) => void = () => {},
): Promise<PaperRun> {
  const server = await startDemoServer()
  const site = await serveHarness({ syncServer: server.url, isIsolated: true })
  const browser = await launchChromium(['--enable-blink-features=ForceEagerMeasureMemory'])
  const phases: Phase[] = []
  const timed = async <T>(
    name: string,
    work: () => Promise<T>,
    detail: (value: T) => string = () => '',
  ): Promise<T> => {
    const start = performance.now()
    const value = await work()
    const phase = { name, ms: performance.now() - start, events: edits.length, detail: detail(value) }
    phases.push(phase)
    onPhase(phase)
    return value
  }
  const syncUrl = `${site.url}/sync`
  const events = edits.length
  try {
    const first = await newProfile(browser)
    await openHarness(first, site.url, 'paper')
    const view = inHarness(first, (harness, count) => harness.text(count), events)
    await giveEdits(first, edits)
    await timed('append, persisted', () =>
      first.evaluate('globalThis.harness.edit(globalThis.edits, globalThis.batch)'),
    )
    await timed(
      'until the view shows the last edit',
      () => view,
      ({ deliveries }) => `${deliveries} deliveries to the page`,
    )
    const heapBytes = await inHarness(first, harness => harness.memory())
    const storedBytes = await inHarness(first, harness => harness.storedBytes())

    await inHarness(first, harness => harness.close())
    const { text: reopenedText } = await timed('open again, to the text', async () => {
      await openHarness(first, site.url, 'paper')
      return inHarness(first, (harness, count) => harness.text(count), events)
    })
    const verified = await timed('verify every hash', () => inHarness(first, harness => harness.verify()))

    await inHarness(first, harness => harness.close())
    await openHarness(first, site.url, 'paper', syncUrl)
    await timed('push to the server', () =>
      inHarness(first, (harness, count) => harness.synced(count), events),
    )

    const second = await newProfile(browser)
    await openHarness(second, site.url, 'paper', syncUrl)
    await timed('pull into a second profile', () =>
      inHarness(second, (harness, count) => harness.synced(count), events),
    )
    await timed('until its view shows the text', () =>
      inHarness(second, (harness, count) => harness.text(count), events),
    )
    return {
      events,
      phases,
      first: await deviceOf(first),
      second: await deviceOf(second),
      reopenedText,
      verified,
      heapBytes,
      storedBytes,
    }
  } finally {
    await browser.close()
    await site.close()
    await server.close()
  }
}

async function newProfile(browser: Browser): Promise<Page> {
  const context = await browser.newContext()
  return context.newPage()
}

/** Puts the edits into the page before the clock starts. */
async function giveEdits(page: Page, edits: readonly Edit[]): Promise<void> {
  await page.evaluate(`globalThis.edits = []; globalThis.batch = ${BATCH}`)
  for (let at = 0; at < edits.length; at += HANDOVER) {
    const part = JSON.stringify(edits.slice(at, at + HANDOVER))
    await page.evaluate(json => {
      ;(globalThis as unknown as { edits: unknown[] }).edits.push(...(JSON.parse(json) as unknown[]))
    }, part)
  }
}

async function deviceOf(page: Page): Promise<Device> {
  const snapshot = (await inHarness(page, harness => harness.textSnapshot()))!
  const { state, stateHash, confirmedPosition, pending } = snapshot
  return { text: state, stateHash, confirmedPosition, pending }
}
