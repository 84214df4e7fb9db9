// Takes commits that another replica wrote, exactly as they are, or says which is the first that does not fit.

import { AMENDMENT_TYPE, newEventsIn, readAmendment } from '../log/amendment.ts'
import { equalBytes, holdsAt, textOf } from '../log/bytes.ts'
import { type Entry, KIND_AMENDMENT, KIND_EVENT } from '../log/entry.ts'
import { hashedKind, isShared } from '../log/erased-entry.ts'
import { SYSTEM_STREAM_PREFIX } from '../log/event.ts'
import { eventIdOf } from '../log/event-id.ts'
import type { HashChain } from '../log/hash-chain.ts'
import { HASH_BYTES } from '../log/hash-provider.ts'
import type { Draft } from './draft.ts'
import type { EntryLookup } from './entry-lookup.ts'
import { EventIdTable } from './event-id-table.ts'
import type { AdmitOutcome } from './event-log.ts'
import type { DraftHead } from './staged-run.ts'
import type { Job } from './writer.ts'

export type AdmitParts = Readonly<{ lookup: EntryLookup; chain: HashChain }>

type Refusal = NonNullable<AdmitOutcome['refusal']>

export function admitJob(commits: readonly (readonly Entry[])[], parts: AdmitParts): Job<AdmitOutcome> {
  // What they are does not depend on the draft.
  const hashes = hashesOfCommits(commits, parts.chain)
  return {
    isAlone: false,
    async plan(draft) {
      const before = draft.nextPosition - 1
      let accepted = 0
      let isAllNew = true
      for (const [n, commit] of commits.entries()) {
        const known = commit.map(entry => draft.positionOfId(entry.eventId))
        const isNew = known.every(position => position === undefined)
        const refusal = isNew
          ? await planCommit(commit, hashes[n]!, draft)
          : await compareKnown(commit, known, draft, parts.lookup)
        if (refusal) return outcome(refusal)
        isAllNew &&= isNew
        accepted++
      }
      return outcome(null)

      function outcome(refusal: Refusal | null): AdmitOutcome {
        return { accepted, after: isAllNew ? before : null, head: draft.nextPosition - 1, refusal }
      }
    },
  }
}

async function planCommit(
  commit: readonly Entry[],
  hashes: Uint8Array,
  draft: Draft,
): Promise<Refusal | null> {
  const refusal = await checkLinks(commit, hashes, draft)
  if (refusal) return refusal
  draft.place(commit)
  draft.commit(null)
  return null
}

/** A commit that is here already, as it is, is accepted once more: the author never got the receipt. */
async function compareKnown(
  commit: readonly Entry[],
  known: readonly (number | undefined)[],
  draft: Draft,
  lookup: EntryLookup,
): Promise<Refusal | null> {
  for (const [i, entry] of commit.entries()) {
    const recorded = known[i] === undefined ? null : await lookup.entryAt(known[i], draft)
    if (!recorded || !equalBytes(recorded.hash, entry.hash)) {
      return { reason: 'id-reused', detail: `event ${eventIdOf(entry.eventId)} is recorded otherwise` }
    }
  }
  return null
}

/** The hashes that the entries of commits should have, 32 bytes each: of all commits made together. */
export function hashesOfCommits(
  commits: readonly (readonly Entry[])[],
  chain: HashChain,
): readonly Uint8Array[] {
  const hashes = chain.hashesOfEntries(commits.flat())
  let end = 0
  return commits.map(({ length }) => {
    end += length * HASH_BYTES
    return hashes.subarray(end - length * HASH_BYTES, end)
  })
}

/**
 * Whether every entry is what its hash says, `hashes` being those it should have, and stands on the head of its stream.
 * Reads heads, changes nothing.
 */
export async function checkLinks(
  commit: readonly Entry[],
  hashes: Uint8Array,
  draft: Draft,
): Promise<Refusal | null> {
  // Awaited only where it must be: of thousands of commits, most find what they need.
  for (const { streamName } of commit) if (!draft.knowsHead(streamName)) await draft.head(streamName)
  const heads = new Map<string, DraftHead>()
  const ids = new EventIdTable(16)
  for (const [i, entry] of commit.entries()) {
    const { streamName, streamVersion, previous, hash } = entry
    const head = heads.get(streamName) ?? draft.knownHead(streamName)
    const place = `version ${streamVersion} of stream "${streamName}"`
    if (!isShared(entry.kind) || streamName.startsWith(SYSTEM_STREAM_PREFIX)) {
      return { reason: 'invalid', detail: `${place} is no event of an application` }
    }
    if (!holdsAt(hashes, i * HASH_BYTES, hash)) {
      return { reason: 'invalid', detail: `${place} does not match its hash` }
    }
    if (streamVersion !== head.version + 1 || !equalBytes(previous, head.hash)) {
      return { reason: 'stale', detail: `${place} does not follow the head, version ${head.version}` }
    }
    if (entry.kind === KIND_AMENDMENT && !isAmendmentOf(commit, entry)) {
      return { reason: 'invalid', detail: `${place} is no amendment of its stream` }
    }
    if (ids.positionOf(entry.eventId) !== undefined) {
      const detail = `event ${eventIdOf(entry.eventId)} stands twice in one commit`
      return { reason: 'id-reused', detail }
    }
    ids.add(entry.eventId)
    heads.set(streamName, { version: streamVersion, hash })
  }
  return null
}

/**
 * As this release writes one: what a later one means by another schema version, it cannot follow. The events that it puts
 * in must come with it, right before: nobody has folded them elsewhere.
 */
function isAmendmentOf(commit: readonly Entry[], amendment: Entry): boolean {
  const { streamName, streamVersion, type, schemaVersion, payload, metadata } = amendment
  const content = readAmendment(payload, streamVersion)
  if (!content || type !== AMENDMENT_TYPE || schemaVersion !== 1 || textOf(metadata) !== '{}') return false
  const added = newEventsIn(content.changes)
  const end = commit.indexOf(amendment)
  const isNewEvent = (entry: Entry) =>
    entry.streamName === streamName && hashedKind(entry.kind) === KIND_EVENT
  return end >= added && commit.slice(end - added, end).every(isNewEvent)
}
