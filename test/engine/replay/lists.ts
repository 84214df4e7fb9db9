// Projections whose states show which events were folded, and by which code: for tests of how folds go on.

import type { EventLog } from '../../../src/engine/event-log.ts'
import type { FoldLog } from '../../../src/engine/replay/fold.ts'
import { Followers } from '../../../src/engine/replay/followers.ts'
import { createProjector, type Projector } from '../../../src/engine/replay/projector.ts'
import type { HandlerFailure } from '../../../src/engine/replay/report-once.ts'
import type { SnapshotDrop } from '../../../src/engine/replay/snapshot-store.ts'
import type { RecordedEvent } from '../../../src/log/event.ts'
import type { AnyProjection } from '../../../src/model/app.ts'
import type { ReplayReport } from '../../../src/model/replay-report.ts'
import { append } from './replicas.ts'

type Said = RecordedEvent & { data: string }

export type ListsOptions = Readonly<{
  /** What the handler is known by, and writes before each word. */
  code?: string
  /** Words that the handler fails on. */
  fails?: (word: string) => boolean
  /** Over the fields of a list of all words that begin with the same letter, folded over all streams when asked for. */
  definition?: Partial<AnyProjection>
}>

/** As {@link ListsOptions}`.definition`. */
export const BY_STREAM: Partial<AnyProjection> = { getDocumentId: undefined as never }
export const OVER_ALL: Partial<AnyProjection> = {}
export const IN_BACKGROUND: Partial<AnyProjection> = { handling: 'async' }

/** A projection `lists` on a log, with all that it says. */
export function openLists(log: FoldLog, { code = '1', fails, definition }: ListsOptions = {}) {
  let folded = 0
  const lists: AnyProjection = {
    canHandle: ['Said'],
    getDocumentId: ({ data }: Said) => data[0]!,
    initialState: () => [],
    evolve: {
      Said(state: readonly string[], { data }: Said) {
        if (fails?.(data)) throw new Error(`cannot take ${data}`)
        folded++
        return [...state, code + data]
      },
    },
    snapshot: { every: 20 },
    handlerCode: { hasher: 1, base: 'b', handlers: { Said: code } },
    ...definition,
  }
  const failures: HandlerFailure[] = []
  const drops: SnapshotDrop[] = []
  const reports: ReplayReport[] = []
  const projector = createProjector({
    log,
    app: { projections: { lists } },
    // What is counted here is what is folded for those who ask.
    audit: false,
    onReplayed: report => reports.push(report),
    onHandlerFailed: failure => failures.push(failure),
    onSnapshotDropped: drop => drops.push(drop),
  })
  const skippedIn: string[] = []
  const followers = new Followers({
    log,
    followers: projector.followers,
    onSkipped: name => skippedIn.push(name),
  })
  const whenProcessed = (position = log.head(), signal = new AbortController().signal) =>
    followers.whenProcessed('lists', position, signal)
  return {
    projector,
    followers,
    failures,
    drops,
    reports,
    skippedIn,
    whenProcessed,
    status: () => followers.status('lists'),
    latest: (documentId: string) => projector.latest('lists', documentId),
    /** The words of a document; null for one that is not there. */
    words: async (documentId: string) => (await projector.latest('lists', documentId))?.state ?? null,
    /** How many events were folded since last asked. */
    folded() {
      const count = folded
      folded = 0
      return count
    },
  }
}

/** Counts how often a document's watchers are told. */
export function watch(projector: Projector, projection: string, documentId: string) {
  const life = new AbortController()
  let seen = 0
  let wake = () => {}
  projector.watch(
    projection,
    documentId,
    () => {
      seen++
      wake()
    },
    life.signal,
  )
  return {
    /** How often it was called since last asked. */
    calls: () => {
      const calls = seen
      seen = 0
      return calls
    },
    called: () =>
      new Promise<void>(resolve => {
        wake = resolve
        if (seen > 0) resolve()
      }),
    stop: () => life.abort(),
  }
}

export const say = (log: EventLog, streamName: string, ...words: unknown[]) =>
  append(log, streamName, ...words.map(data => ({ data })))

export const words = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i + 1}`)

/** Says so many words with a prefix, numbered from 1 on, in blocks of ten. */
export async function sayMany(log: EventLog, streamName: string, prefix: string, n: number): Promise<void> {
  const all = words(prefix, n)
  for (let i = 0; i < n; i += 10) await say(log, streamName, ...all.slice(i, i + 10))
}
