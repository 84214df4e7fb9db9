// A pending commit that meets events of others, by a merge of the app: what each side has, and what becomes of both.

import { equalBytes } from '../log/bytes.ts'
import { type Entry, KIND_ERASED, KIND_EVENT } from '../log/entry.ts'
import { batchOfEntry, type RunStamp } from '../log/entry-run.ts'
import { StoreError } from '../log/errors.ts'
import type { Event, GlobalPosition, RecordedEvent, StreamVersion } from '../log/event.ts'
import { type EventBatch, encodeEvents, RESERVED_METADATA } from '../log/event-batch.ts'
import { derivedEventId, eventIdOf } from '../log/event-id.ts'
import type { App } from '../model/app.ts'
import type { AnyMerge, Conflict, Merged } from '../model/merge.ts'
import { type AppendParts, checkCommitSize, mergeOf, stampFor } from './append-job.ts'
import { type CommandParts, foldDraft } from './command-plan.ts'
import type { Draft } from './draft.ts'
import type { TailCommit } from './pending-tail.ts'
import { plainEvent } from './recorded-events.ts'

export type MergeParts = CommandParts & Pick<AppendParts, 'merges'>

type Base = { readonly version: StreamVersion; readonly states: Map<string, PromiseSettledResult<unknown>> }

/** The streams of a tail that merges will be asked about: what they were before the server's events, and these. */
export class Conflicts {
  readonly #bases = new Map<string, Base>()
  readonly #remote = new Map<string, { entry: Entry; position: GlobalPosition }[]>()

  /** To be called when the draft is set back to where the tail began, and nothing stands behind that yet. */
  static async before(tail: readonly TailCommit[], draft: Draft, parts: MergeParts): Promise<Conflicts> {
    const conflicts = new Conflicts()
    for (const { entries, note } of tail) {
      if (!note || !('onConflict' in note) || typeof note.onConflict !== 'object') continue
      // One that is not known is missed only where it is needed.
      const decider = parts.merges[note.onConflict.merge]?.decider
      for (const { streamName } of entries) await conflicts.#addBase(streamName, decider, draft, parts)
    }
    return conflicts
  }

  async #addBase(streamName: string, decider: string | undefined, draft: Draft, parts: MergeParts) {
    const base = this.#bases.get(streamName) ?? {
      version: draft.knownHead(streamName).version,
      states: new Map(),
    }
    this.#bases.set(streamName, base)
    if (decider === undefined || base.states.has(decider)) return
    // A handler that fails fails the merge, and not the page.
    const [state] = await Promise.allSettled([foldDraft(decider, streamName, draft, parts)])
    base.states.set(decider, state)
  }

  /** An entry of the server, and the position that it will have. */
  takeRemote(entry: Entry, position: GlobalPosition): void {
    const { streamName, kind } = entry
    if (kind !== KIND_EVENT || !this.#bases.has(streamName)) return
    const remote = this.#remote.get(streamName) ?? []
    this.#remote.set(streamName, remote)
    remote.push({ entry, position })
  }

  /** @throws what the fold of the base threw */
  base(streamName: string, decider: string | undefined): Pick<Conflict, 'baseVersion' | 'baseState'> {
    const { version: baseVersion, states } = this.#bases.get(streamName)!
    const state = decider === undefined ? undefined : states.get(decider)
    if (state?.status === 'rejected') throw state.reason
    return { baseVersion, baseState: state?.value }
  }

  async remote(streamName: string, { today, contents }: MergeParts): Promise<RecordedEvent[]> {
    const remote = this.#remote.get(streamName) ?? []
    const events = await contents.eventsOf(remote, 'confirmed')
    return events.flatMap(event => (event && today.of(event)) ?? [])
  }
}

type MergeCommit = Pick<TailCommit, 'entries' | 'note' | 'firstPosition'> & Readonly<{ name: string }>
type AgainParts = MergeParts & Readonly<{ conflicts: Conflicts }>
type Run = Readonly<{ streamName: string; batch: EventBatch; stamp: RunStamp }>

/**
 * Adds what the merge makes of a commit, which stays one commit with the same merge. Streams of it that nothing came
 * between on are taken up as they are.
 *
 * @throws `StoreError` `merge-refused` with the reason, `version-conflict` where the merge rejects; as for an append of what
 * it gives.
 */
export async function mergeAgain(commit: MergeCommit, draft: Draft, parts: AgainParts): Promise<void> {
  const { entries, note, name } = commit
  const runs: Run[] = []
  const merged = new Map<string, boolean>()
  for (const entry of entries) {
    const { streamName } = entry
    const isMerged = merged.get(streamName)
    if (isMerged) continue
    if (isMerged === undefined) {
      const { hash } = await draft.head(streamName)
      const isInConflict = !equalBytes(hash, entry.previous)
      merged.set(streamName, isInConflict)
      if (isInConflict) {
        runs.push(...(await mergeStream({ ...commit, streamName, name }, draft, parts)))
        continue
      }
    }
    runs.push(runOf(entry))
  }
  checkCommitSize(runs.map(({ batch }) => batch))
  for (const { streamName, batch, stamp } of runs) draft.link(streamName, batch, stamp)
  if (runs.length > 0) draft.commit(note)
}

type StreamOfCommit = MergeCommit & Readonly<{ streamName: string }>

async function mergeStream(part: StreamOfCommit, draft: Draft, parts: AgainParts): Promise<Run[]> {
  const { streamName, name, entries, firstPosition } = part
  const definition = mergeOf(parts.merges, name)
  const own = entries.filter(entry => entry.streamName === streamName)
  const entryOf = new Map<RecordedEvent, Entry>()
  const placed = entries.map((entry, i) =>
    entry.streamName === streamName && entry.kind !== KIND_ERASED
      ? { entry, position: firstPosition + i }
      : null,
  )
  for (const [i, recorded] of (await parts.contents.eventsOf(placed, 'pending')).entries()) {
    const event = recorded && parts.today.of(recorded)
    if (event) entryOf.set(plainEvent(event), entries[i]!)
  }
  const conflict: Conflict = {
    streamName,
    ...parts.conflicts.base(streamName, definition.decider),
    remote: await parts.conflicts.remote(streamName, parts),
    state: definition.decider && (await foldDraft(definition.decider, streamName, draft, parts)),
    local: [...entryOf.keys()],
  }
  const result = merge(name, definition, conflict)
  if (result === 'reject') throw await otherEventsFirst(own[0]!, draft)
  // What a merge is not shown, it cannot leave out.
  const seen = new Set(entryOf.values())
  const unseen = own.filter(entry => !seen.has(entry))
  return [...unseen.map(runOf), ...(await runsOf(result, { own, entryOf }, parts))]
}

function merge(name: string, { merge }: AnyMerge, conflict: Conflict): Merged | 'reject' {
  const facts = { merge: name, streamName: conflict.streamName }
  let result: unknown
  try {
    result = merge(conflict)
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new StoreError('merge-refused', reason, { ...facts, reason }, { cause })
  }
  if (result === 'reject' || Array.isArray(result)) return result as Merged | 'reject'
  const reason = `The merge "${name}" gave neither events nor 'reject'`
  throw new StoreError('merge-refused', reason, { ...facts, reason })
}

/** Ids of new events come from the first one of the stream: made again, they are the same. */
async function runsOf(
  result: Merged,
  { own, entryOf }: Readonly<{ own: readonly Entry[]; entryOf: ReadonlyMap<RecordedEvent, Entry> }>,
  { contents }: Pick<MergeParts, 'contents'>,
): Promise<Run[]> {
  const { streamName, recordedAt, eventId } = own[0]!
  const kept = new Set([...entryOf.keys()].map(({ metadata }) => metadata.eventId))
  const taken = new Set(own.map(entry => eventIdOf(entry.eventId)))
  const used = new Set<string>()
  const cause = eventIdOf(eventId)
  let n = 0
  const newId = (): string => {
    let id = derivedEventId(cause, ++n)
    while (taken.has(id)) id = derivedEventId(cause, ++n)
    return id
  }
  const runs = result.map(event => {
    const entry = entryOf.get(event as RecordedEvent)
    const run = entry ? { ...runOf(entry), isNew: false } : newRun(unrecorded(event, kept, newId))
    const id = eventIdOf(run.batch.ids)
    if (used.has(id))
      throw new StoreError('merge-refused', `The merge gave event ${id} twice`, { eventId: id })
    used.add(id)
    return run
  })
  return Promise.all(
    runs.map(async run =>
      run.isNew ? { ...run, batch: await contents.cipher.encrypt(streamName, run.batch) } : run,
    ),
  )

  function newRun(event: Event): Run & Readonly<{ isNew: boolean }> {
    const batch = encodeEvents([event])
    return { streamName, batch, stamp: stampFor(batch, recordedAt), isNew: true }
  }
}

function runOf(entry: Entry): Run {
  const { streamName, kind, recordedAt, salt: salts } = entry
  return { streamName, batch: batchOfEntry(entry), stamp: { kind, recordedAt, salts } }
}

/** What is spread of a local event keeps its id. Any other event is a new one, whatever id it brings. */
function unrecorded(event: Event | RecordedEvent, kept: ReadonlySet<string>, newId: () => string): Event {
  const { metadata = {}, ...rest } = event as Event
  const { eventId, schemaVersion } = metadata as Partial<RecordedEvent['metadata']>
  const isKept = (id: string | undefined): id is string => id !== undefined && kept.has(id)
  const id = [rest.id, eventId].find(isKept) ?? newId()
  const custom = Object.entries(metadata).filter(
    ([key]) => !(RESERVED_METADATA as readonly string[]).includes(key),
  )
  return {
    ...rest,
    id,
    ...(rest.schemaVersion === undefined && schemaVersion !== undefined && { schemaVersion }),
    ...(custom.length > 0 && { metadata: Object.fromEntries(custom) }),
  }
}

/** @throws `StoreError` `invalid-argument` for a merge that names a decider which the app has not. */
export function checkMerges({ merges = {}, deciders = {} }: App): void {
  for (const [name, { decider }] of Object.entries(merges)) {
    if (decider === undefined || Object.hasOwn(deciders, decider)) continue
    const problem = `The merge "${name}" names a decider "${decider}", which the app has not`
    throw new StoreError('invalid-argument', problem, { merge: name, decider })
  }
}

/** Why a commit is rejected by whoever appended it so. */
export async function otherEventsFirst(
  { streamName, streamVersion }: Pick<Entry, 'streamName' | 'streamVersion'>,
  draft: Draft,
): Promise<StoreError> {
  const facts = { streamName, expected: streamVersion - 1, actual: (await draft.head(streamName)).version }
  return new StoreError('version-conflict', `Stream "${streamName}" has got other events first`, facts)
}
