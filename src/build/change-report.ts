// Which handlers changed since the last build, and how much of a store that touches.

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'

export type ChangeReportOptions = Readonly<{
  /** Where the hashes of the last build are kept. Default: `node_modules/.cache/streamdingo/handlers.json`. */
  file?: string
  /**
   * How many events of each type a store has, as `store.typeCounts()` gives them, or a JSON file of that: then the
   * report says how many events are folded by other code.
   */
  typeCounts?: string | Readonly<Record<string, number>>
}>

/** What a definition's code is known by. */
type Hashes = Readonly<{ base: string; handlers: Readonly<Record<string, string>> }>
type Build = Readonly<Record<string, Hashes>>
type TypeCounts = Readonly<Record<string, number>>

export const lastBuildFile = (): string => join('node_modules', '.cache', 'streamdingo', 'handlers.json')

export class ChangeReport {
  readonly #options: ChangeReportOptions
  readonly #built = new Map<string, Hashes>()

  constructor(options: ChangeReportOptions) {
    this.#options = options
  }

  add(name: string, module: string, hashes: Hashes): void {
    const file = relative(process.cwd(), module).replaceAll('\\', '/')
    this.#built.set(`${name} (${file})`, hashes)
  }

  /** Keeps what was built for the next time. Null where nothing changed, or there was no build before. */
  async finish(): Promise<string | null> {
    if (this.#built.size === 0) return null
    const { file = lastBuildFile(), typeCounts } = this.#options
    const before = ((await readJson(file)) ?? {}) as Build
    const counts = typeof typeCounts === 'string' ? ((await readJson(typeCounts)) as TypeCounts) : typeCounts
    const lines = [...this.#built].flatMap(([name, hashes]) => {
      const known = before[name]
      const changes = known ? changesOf(known, hashes, counts ?? null) : []
      return changes.length > 0 ? [`  ${name}: ${changes.join(', ')}`] : []
    })
    await mkdir(dirname(file), { recursive: true })
    await writeFile(file, JSON.stringify({ ...before, ...Object.fromEntries(this.#built) }, null, 2))
    return lines.length > 0 ? ['Handlers changed since the last build:', ...lines].join('\n') : null
  }
}

function changesOf(before: Hashes, now: Hashes, counts: TypeCounts | null): string[] {
  if (before.base !== now.base) return [`what counts for every event${costOfAll(counts)}`]
  const types = [...new Set([...Object.keys(before.handlers), ...Object.keys(now.handlers)])]
  return types
    .filter(type => before.handlers[type] !== now.handlers[type])
    .map(type => `${type}${howChanged(type, before, now)}${costOf(type, counts)}`)
}

function howChanged(type: string, before: Hashes, now: Hashes): string {
  if (!Object.hasOwn(before.handlers, type)) return ' is new'
  return Object.hasOwn(now.handlers, type) ? '' : ' is gone'
}

function costOf(type: string, counts: TypeCounts | null): string {
  if (!counts) return ''
  if (type === '*') return costOfAll(counts)
  const count = counts[type] ?? 0
  return count === 0 ? ' (the store has none)' : ` (${shown(count)} of ${shown(totalOf(counts))} events)`
}

const costOfAll = (counts: TypeCounts | null): string =>
  counts ? ` (all ${shown(totalOf(counts))} events)` : ''

const totalOf = (counts: TypeCounts): number => Object.values(counts).reduce((sum, count) => sum + count, 0)

const shown = (count: number): string => count.toLocaleString('en-US')

/** Undefined where there is none yet. */
async function readJson(file: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
