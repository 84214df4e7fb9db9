// Deletes snapshots that nobody is going to use, where those who wrote them cannot know it any more: once after a store
// was opened, in idle time.

import type { App } from '../../model/app.ts'
import type { FoldLog } from './fold.ts'
import { familyPrefixOf, type Kept, readKey } from './snapshot-key.ts'
import { deleteSnapshots } from './snapshot-rows.ts'

const DEFAULT_MAX_BYTES = 128 * 1024 * 1024
/** A tab with an older version of the app, or one whose release is taken back, is given so long. */
const OTHER_APP_SECONDS = 14 * 24 * 60 * 60

export type SnapshotCleanupParts = Readonly<{
  log: Pick<FoldLog, 'storage' | 'head' | 'isEffective'>
  app: App
  maxBytes?: number
}>

export class SnapshotCleanup {
  readonly #parts: SnapshotCleanupParts
  #isDone = false

  constructor(parts: SnapshotCleanupParts) {
    this.#parts = parts
  }

  async run(): Promise<void> {
    if (this.#isDone) return
    this.#isDone = true
    const { log, app, maxBytes = DEFAULT_MAX_BYTES } = this.#parts
    const now = Date.now() / 1_000
    await deleteSnapshots(log.storage, keys =>
      uselessOf(keys, { log, families: familiesOf(app), maxBytes, now }),
    )
  }
}

type CleanupFacts = Readonly<{
  log: Pick<FoldLog, 'head' | 'isEffective'>
  /** What the keys of snapshots of this app begin with. */
  families: ReadonlySet<string>
  maxBytes: number
  /** Seconds since the Unix epoch. */
  now: number
}>

const familiesOf = ({ deciders = {}, projections = {} }: App): Set<string> =>
  new Set([
    ...Object.keys(deciders).map(name => familyPrefixOf({ kind: 'decider', name })),
    ...Object.keys(projections).map(name => familyPrefixOf({ kind: 'projection', name })),
  ])

/** Keys that nobody can read, and of snapshots that are superseded, of another app, or over the limit. */
function uselessOf(keys: readonly string[], facts: CleanupFacts): string[] {
  const useless: string[] = []
  const owners = new Map<string, Kept[]>()
  for (const key of keys) {
    const kept = readKey(key)
    if (!kept || isSuperseded(kept, facts) || isOfNoApp(kept, facts)) useless.push(key)
    else owners.set(kept.prefix, [...(owners.get(kept.prefix) ?? []), kept])
  }
  return [...useless, ...overLimit([...owners.values()], facts)]
}

/** What stands past the head was written by a tab that knows more. */
const isSuperseded = ({ position }: Kept, { log }: CleanupFacts): boolean =>
  position <= log.head() && !log.isEffective(position)

function isOfNoApp(
  snapshot: NonNullable<ReturnType<typeof readKey>>,
  { families, now }: CleanupFacts,
): boolean {
  return !families.has(familyPrefixOf(snapshot)) && now - snapshot.savedAt > OTHER_APP_SECONDS
}

/** The oldest first; the newest of each owner stay. */
function overLimit(owners: readonly (readonly Kept[])[], { maxBytes }: CleanupFacts): string[] {
  let bytes = owners.flat().reduce((sum, kept) => sum + kept.bytes, 0)
  const older = owners.flatMap(kept => kept.slice(0, -1)).toSorted((a, b) => a.savedAt - b.savedAt)
  return older
    .filter(kept => {
      const isOver = bytes > maxBytes
      if (isOver) bytes -= kept.bytes
      return isOver
    })
    .map(({ key }) => key)
}
