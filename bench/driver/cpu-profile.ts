// Where the time goes: which functions the threads of a page and of its workers were in.

import type { Page } from 'playwright-core'

export type ThreadProfile = Readonly<{
  thread: string
  /** Milliseconds in each function itself, those that it calls left out; the longest first. */
  functions: readonly Readonly<{ name: string; ms: number }>[]
}>

type TraceEvent = Readonly<{
  name: string
  pid: number
  tid: number
  id?: string
  args: {
    name?: string
    data?: { cpuProfile?: { nodes?: ProfileNode[]; samples?: number[] }; timeDeltas?: number[] }
  }
}>

type ProfileNode = Readonly<{
  id: number
  callFrame: Readonly<{ functionName: string; url?: string; lineNumber?: number }>
}>

/** Runs the work under the browser's sampling profiler, which takes a few percent of the speed. */
export async function withCpuProfile<T>(
  page: Page,
  work: () => Promise<T>,
): Promise<readonly [T, ThreadProfile[]]> {
  const session = await page.context().newCDPSession(page)
  const events: TraceEvent[] = []
  session.on('Tracing.dataCollected', ({ value }) => events.push(...(value as unknown as TraceEvent[])))
  const complete = new Promise<void>(resolve => session.once('Tracing.tracingComplete', () => resolve()))
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: {
      includedCategories: ['disabled-by-default-v8.cpu_profiler'],
      recordMode: 'recordAsMuchAsPossible',
    },
  })
  const value = await work()
  await session.send('Tracing.end')
  await complete
  return [value, threadProfilesOf(events)]
}

/** The functions that took most, a line each. */
export function profileText(threads: readonly ThreadProfile[]): string {
  return threads
    .map(({ thread, functions }) => {
      const all = functions.reduce((sum, { ms }) => sum + ms, 0)
      const lines = functions
        .slice(0, LINES)
        .map(
          ({ name, ms }) =>
            `  ${ms.toFixed(0).padStart(7)} ms ${((ms / all) * 100).toFixed(1).padStart(5)} %  ${name}`,
        )
      return [`${thread}: ${all.toFixed(0)} ms`, ...lines].join('\n')
    })
    .join('\n')
}

const LINES = 25

function threadProfilesOf(events: readonly TraceEvent[]): ThreadProfile[] {
  const threadNames = new Map<string, string>()
  for (const { name, pid, tid, args } of events) {
    if (name === 'thread_name') threadNames.set(`${pid}/${tid}`, args.name ?? '')
  }
  return events
    .filter(({ name }) => name === 'Profile')
    .map(({ pid, tid, id }) => ({
      thread: `${threadNames.get(`${pid}/${tid}`) ?? 'thread'} ${tid}`,
      functions: functionsOf(
        events.filter(one => one.name === 'ProfileChunk' && one.pid === pid && one.id === id),
      ),
    }))
    .filter(({ functions }) => functions.length > 0)
}

function functionsOf(chunks: readonly TraceEvent[]): ThreadProfile['functions'] {
  const names = new Map<number, string>()
  const times = new Map<string, number>()
  for (const { args } of chunks) {
    const { nodes = [], samples = [] } = args.data?.cpuProfile ?? {}
    for (const { id, callFrame } of nodes) names.set(id, nameOf(callFrame))
    for (const [i, sample] of samples.entries()) {
      const name = names.get(sample) ?? '?'
      times.set(name, (times.get(name) ?? 0) + (args.data?.timeDeltas?.[i] ?? 0) / 1_000)
    }
  }
  return [...times]
    .filter(([name]) => !NO_WORK.has(name))
    .map(([name, ms]) => ({ name, ms }))
    .sort((a, b) => b.ms - a.ms)
}

const NO_WORK = new Set(['(idle)', '(root)'])

function nameOf({ functionName, url = '', lineNumber }: ProfileNode['callFrame']): string {
  const file = url.split('/').at(-1)
  const place = file ? ` ${file}:${(lineNumber ?? 0) + 1}` : ''
  return `${functionName || '(anonymous)'}${place}`
}
