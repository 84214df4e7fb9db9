// Pending amendments of a log that is begun anew. They name versions of their streams, and those are others there: what
// the server has confirmed is not there yet, and comes before what is pending.

import { amendmentBytes, type OrderChange, readAmendment } from '../../log/amendment.ts'
import { type Entry, KIND_AMENDMENT } from '../../log/entry.ts'
import type { StreamVersion } from '../../log/event.ts'
import type { SalvagedCommit } from './salvage.ts'

export type SettledAmendments = Readonly<{
  /** All that is pending but for the loose ones; amendments say what they said. */
  pending: readonly SalvagedCommit[]
  /** Amendments that name events which are not pending: whether they still count, nobody can tell now. */
  loose: readonly SalvagedCommit[]
}>

/** For commits that are to be linked anew in this order, each stream from version 1. */
export function settleAmendments(commits: readonly SalvagedCommit[]): SettledAmendments {
  const pending: SalvagedCommit[] = []
  const loose: SalvagedCommit[] = []
  const versions = new NewVersions()
  for (const commit of commits) {
    const entries = versions.take(commit.entries)
    if (entries) pending.push({ ...commit, entries })
    else loose.push(commit)
  }
  return { pending, loose }
}

type NewStream = { count: number; readonly newOf: Map<StreamVersion, StreamVersion> }

class NewVersions {
  /** By name: how many entries it has now, and the new version of each that it had. */
  readonly #streams = new Map<string, NewStream>()

  /** The entries with their amendments as they are behind what was taken before; null where one cannot be made. */
  take(entries: readonly Entry[]): Entry[] | null {
    const taken: Entry[] = []
    for (const entry of entries) {
      const stream = this.#ofName(entry.streamName)
      const renamed = entry.kind === KIND_AMENDMENT ? withVersions(entry, stream.newOf) : entry
      if (!renamed) {
        for (const one of taken) this.#takeBack(one)
        return null
      }
      // Two entries may have had one version, where what sync noted between them is lost: the later one counted.
      stream.newOf.set(entry.streamVersion, ++stream.count)
      taken.push(renamed)
    }
    return taken
  }

  #takeBack({ streamName, streamVersion }: Entry): void {
    const stream = this.#ofName(streamName)
    stream.count--
    stream.newOf.delete(streamVersion)
  }

  #ofName(streamName: string): NewStream {
    const stream = this.#streams.get(streamName) ?? { count: 0, newOf: new Map() }
    this.#streams.set(streamName, stream)
    return stream
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
