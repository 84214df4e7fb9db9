// Whatever handlers change between builds of an application, its states must be those of a full fold. This checks it on
// an application's own handlers and its own history.

import type { EventLog } from '../engine/event-log.ts'
import { createEventStore } from '../engine/event-store.ts'
import { openLog } from '../engine/open-log.ts'
import { createProjector } from '../engine/replay/projector.ts'
import type { RecordedEvent } from '../log/event.ts'
import type { AnyProjection, App } from '../model/app.ts'
import { categoryTest } from '../model/category.ts'
import type { ReplayReport } from '../model/replay-report.ts'
import type { SnapshotPolicy } from '../model/snapshot-policy.ts'
import { createMemoryDatabase, memoryStorage } from '../storage/memory/index.ts'
import { DEFAULT_STREAM, type GivenEvent } from './recorded.ts'
import { mustEqual } from './specification-failed.ts'

/** A build of the application, and what happened while it ran. */
export type ReplayBuild = Readonly<{ app: App; events: readonly GivenEvent[] }>

/**
 * Lets builds of an application run one after the other on one store, each starting anew with the snapshots that those
 * before it left, and compares every document of every projection with a full fold.
 *
 * @param builds whose handlers the build plugin has hashed, or else are told apart by their text
 * @param snapshot overrides the policy of all projections. Default: a snapshot every 2 events, so that there are many.
 * @returns what each build folded.
 * @throws `SpecificationFailed` for a document that differs, or when more was folded than in a full fold.
 */
export async function replayEquivalence(
  builds: readonly ReplayBuild[],
  snapshot: SnapshotPolicy = { every: 2 },
): Promise<readonly (readonly ReplayReport[])[]> {
  const database = createMemoryDatabase()
  const reports: (readonly ReplayReport[])[] = []
  for (const [i, { app, events }] of builds.entries()) {
    const log = await openLog({ storage: memoryStorage({ database }), storeId: 'replay-equivalence', app })
    await append(log, events)
    const all = await eventsOf(log)
    const full = await documentsOf(log, withPolicy(app, 'never'), all)
    const smart = await documentsOf(log, withPolicy(app, snapshot), all)
    mustEqual(`In build ${i + 1}, documents are not those of a full fold`, smart.documents, full.documents)
    for (const { name, replayed, total } of smart.reports) {
      mustEqual(`In build ${i + 1}, ${name} read more than a full fold`, Math.max(replayed, total), total)
    }
    reports.push(smart.reports)
    await log.close()
  }
  return reports
}

async function append(log: EventLog, events: readonly GivenEvent[]): Promise<void> {
  const store = createEventStore(log)
  for (const { streamName = DEFAULT_STREAM, ...event } of events)
    await store.appendToStream(streamName, [event])
}

async function eventsOf(log: EventLog): Promise<readonly RecordedEvent[]> {
  const all: RecordedEvent[] = []
  for await (const part of log.today.read({}, () => log.readAll())) all.push(...part)
  return all
}

function withPolicy({ projections = {} }: App, snapshot: SnapshotPolicy): Record<string, AnyProjection> {
  return Object.fromEntries(
    Object.entries(projections).map(([name, definition]) => [name, { ...askedFor(definition), snapshot }]),
  )
}

/** What is folded in the background is folded in the same way when somebody asks. */
function askedFor(definition: AnyProjection): AnyProjection {
  const { handling, getDocumentId = streamOf } = definition
  return handling === 'async' ? { ...definition, handling: 'inline', getDocumentId } : definition
}

const streamOf = ({ metadata }: RecordedEvent): string => metadata.streamName

/** Folded with nothing in memory. */
async function documentsOf(
  log: EventLog,
  projections: Readonly<Record<string, AnyProjection>>,
  events: readonly RecordedEvent[],
) {
  const reports: ReplayReport[] = []
  const onReplayed = (report: ReplayReport) => reports.push(report)
  const projector = createProjector({ log, app: { projections }, audit: false, onReplayed })
  const documents: Record<string, Record<string, unknown>> = {}
  for (const [name, { canHandle, categories, getDocumentId = streamOf }] of Object.entries(projections)) {
    const covers = categoryTest(categories)
    const folded = events.filter(
      ({ type, metadata }) => canHandle.includes(type) && covers(metadata.streamName),
    )
    const ids = new Set(folded.map(event => getDocumentId(event)))
    const ofProjection: [string, unknown][] = []
    for (const id of ids) if (id !== null) ofProjection.push([id, await projector.latest(name, id)])
    documents[name] = Object.fromEntries(ofProjection)
  }
  await projector.close()
  return { documents, reports }
}
