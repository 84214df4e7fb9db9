// Pending amendments of a log that is begun anew. They name versions of their streams, and those are others there: what
// the server has confirmed is not there yet, and comes before what is pending.

import { amendmentBytes, type OrderChange, readAmendment } from '../../log/amendment.ts'
import { type Entry, KIND_AMENDMENT } from '../../log/entry.ts'
import type { StreamVersion } from '../../log/event.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { Rejection } from '../../model/sync-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { amendmentIn } from '../amendments/read-amendments.ts'
import { READ_BYTES } from '../read-ahead.ts'
import { rejectionOf } from '../rejections.ts'
import { inspectBlock } from './inspect-block.ts'
import type { SalvagedCommit } from './salvage.ts'

export type SettledAmendments = Readonly<{
  /** All that is pending but for the rejected ones; amendments say what they said. */
  pending: readonly SalvagedCommit[]
  /** Of amendments that name events which are not pending: whether they still count, nobody can tell now. */
  rejected: readonly Rejection[]
}>

/** For commits that are to be linked anew in this order, each stream from version 1. */
export async function settleAmendments(
  commits: readonly SalvagedCommit[],
  storage: Pick<LogStorage, 'head' | 'read'>,
  hash: HashProvider,
): Promise<SettledAmendments> {
  const pending: SalvagedCommit[] = []
  const loose: SalvagedCommit[] = []
  const versions = new NewVersions()
  for (const commit of commits) {
    const entries = versions.take(commit.entries)
    if (entries) pending.push({ ...commit, entries })
    else loose.push(commit)
  }
  return { pending, rejected: loose.length === 0 ? [] : await rejectionsOf(loose, storage, hash) }
}

class NewVersions {
  /** By stream: the new version of each that it had. */
  readonly #newOf = new Map<string, Map<StreamVersion, StreamVersion>>()

  /** The entries with their amendments as they are behind what was taken before; null where one cannot be made. */
  take(entries: readonly Entry[]): Entry[] | null {
    const taken: Entry[] = []
    for (const entry of entries) {
      const known = this.#ofStream(entry.streamName)
      const renamed = entry.kind === KIND_AMENDMENT ? withVersions(entry, known) : entry
      if (!renamed) {
        for (const { streamName, streamVersion } of taken) this.#ofStream(streamName).delete(streamVersion)
        return null
      }
      known.set(entry.streamVersion, known.size + 1)
      taken.push(renamed)
    }
    return taken
  }

  #ofStream(streamName: string): Map<StreamVersion, StreamVersion> {
    const known = this.#newOf.get(streamName) ?? new Map<StreamVersion, StreamVersion>()
    this.#newOf.set(streamName, known)
    return known
  }
}

function withVersions(entry: Entry, newOf: ReadonlyMap<StreamVersion, StreamVersion>): Entry | null {
  const content = readAmendment(entry.payload, entry.streamVersion)
  const changes = content?.changes.map(change => changeIn(change, newOf)) ?? [null]
  if (!content || !changes.every(change => change !== null)) return null
  return { ...entry, payload: amendmentBytes({ reason: content.reason, changes }) }
}

function changeIn(change: OrderChange, newOf: ReadonlyMap<StreamVersion, StreamVersion>): OrderChange | null {
  const version = newOf.get(change.version)
  if (version === undefined) return null
  if (change.kind === 'remove') return { kind: 'remove', version }
  if (change.kind === 'replace') {
    const by = newOf.get(change.by)
    return by === undefined ? null : { kind: 'replace', version, by }
  }
  const after = change.after === 0 ? 0 : newOf.get(change.after)
  return after === undefined ? null : { kind: change.kind, version, after }
}

async function rejectionsOf(
  commits: readonly SalvagedCommit[],
  storage: Pick<LogStorage, 'head' | 'read'>,
  hash: HashProvider,
): Promise<Rejection[]> {
  const idOf = await readIds(new Set(commits.map(({ entries }) => entries.at(-1)!.streamName)), storage, hash)
  const reason = {
    code: 'unknown-event',
    message: 'The log was begun anew, and events that this names come again from the server only now',
  } as const
  const rejectedAt = Date.now()
  return Promise.all(
    commits.map(async commit =>
      rejectionOf(commit, { amendment: await amendmentIn(commit.entries, idOf), reason, rejectedAt }),
    ),
  )
}

/** Of what counts last at each version, by which an amendment at the end of the log names it. */
async function readIds(
  streamNames: ReadonlySet<string>,
  storage: Pick<LogStorage, 'head' | 'read'>,
  hash: HashProvider,
) {
  const ids = new Map<string, Map<StreamVersion, string>>()
  for (const streamName of streamNames) ids.set(streamName, new Map())
  const head = await storage.head()
  for (let next = 1; next <= head; ) {
    const stored = await storage.read({ from: next, maxBytes: READ_BYTES })
    if (stored.length === 0) break
    for (const one of stored) {
      const { block } = await inspectBlock(one, { chain: new HashChain(hash), hash })
      for (let i = 0; block && i < block.count; i++) {
        ids.get(block.streamNameOf(i))?.set(block.versions[i]!, eventIdOf(block.idOf(i)))
      }
    }
    next = stored.at(-1)!.lastPosition + 1
  }
  return async (streamName: string, version: StreamVersion) => ids.get(streamName)!.get(version) ?? UNREADABLE
}

/** No event has it. */
const UNREADABLE = '00000000-0000-0000-0000-000000000000'
