// Entries of one stream, one linked to the next, in columns: so an append needs no object an entry.

import { equalBytes } from './bytes.ts'
import { type Entry, SALT_BYTES } from './entry.ts'
import type { StreamVersion } from './event.ts'
import { type EventBatch, typeColumnOf } from './event-batch.ts'
import { ID_BYTES } from './event-id.ts'
import { HASH_BYTES } from './hash-provider.ts'
import { jsonColumnOf, jsonColumnOfSlices, jsonSlice } from './json-column.ts'

/** What the log adds to events before it knows their place. */
export type RunStamp = Readonly<{
  kind: number
  recordedAt: number
  /** 16 bytes each. */
  salts: Uint8Array
}>

export type UnlinkedRun = RunStamp &
  Readonly<{
    streamName: string
    /** Version of the first entry. */
    firstVersion: StreamVersion
    /** The hash that the first entry links to; of no meaning where the run follows another that is hashed with it. */
    previous: Uint8Array
    /** Which of the runs that are hashed together it follows; null for none of them. */
    follows: number | null
    batch: EventBatch
  }>

/** Byte fields may be views: do not change them. */
export type EntryRun = Omit<UnlinkedRun, 'follows'> &
  Readonly<{
    /** 32 bytes each. */
    hashes: Uint8Array
  }>

/** What an entry has before it gets its place in a stream. */
export type UnplacedEntry = Omit<Entry, 'streamName' | 'streamVersion' | 'previous' | 'hash'>

export function entryOfRun(run: EntryRun, i: number): Entry {
  const { batch } = run
  const { type, schemaVersion } = batch.types[batch.typeOf[i]!]!
  return {
    ...entryBodyOfRun(run, i),
    streamName: run.streamName,
    streamVersion: run.firstVersion + i,
    previous: i === 0 ? run.previous : hashOfRun(run, i - 1),
    hash: hashOfRun(run, i),
    recordedAt: run.recordedAt,
    eventId: batch.ids.subarray(i * ID_BYTES, (i + 1) * ID_BYTES),
    type,
    schemaVersion,
  }
}

/** What is in entry i. */
export function entryBodyOfRun(
  { kind, batch, salts }: Omit<RunStamp, 'recordedAt'> & Pick<EntryRun, 'batch'>,
  i: number,
): Pick<Entry, 'kind' | 'salt' | 'payload' | 'metadata'> {
  return {
    kind,
    salt: salts.subarray(i * SALT_BYTES, (i + 1) * SALT_BYTES),
    payload: jsonSlice(batch.payloads, i),
    metadata: jsonSlice(batch.metadata, i),
  }
}

export function runOfEntry(entry: Entry): EntryRun {
  const { kind, streamName, streamVersion: firstVersion, previous, hash: hashes, recordedAt, salt } = entry
  return {
    kind,
    streamName,
    firstVersion,
    previous,
    recordedAt,
    salts: salt,
    batch: batchOfEntry(entry),
    hashes,
  }
}

/** Entries in as few runs as they make: those of one stream that follow each other, recorded together. */
export function runsOfEntries(entries: readonly Entry[]): EntryRun[] {
  const runs: EntryRun[] = []
  let start = 0
  for (let i = 1; i <= entries.length; i++) {
    if (i < entries.length && follows(entries[i]!, entries[i - 1]!)) continue
    runs.push(i === start + 1 ? runOfEntry(entries[start]!) : runOfMany(entries.slice(start, i)))
    start = i
  }
  return runs
}

function follows(entry: Entry, before: Entry): boolean {
  return (
    entry.streamName === before.streamName &&
    entry.streamVersion === before.streamVersion + 1 &&
    entry.kind === before.kind &&
    entry.recordedAt === before.recordedAt &&
    equalBytes(entry.previous, before.hash)
  )
}

function runOfMany(entries: readonly Entry[]): EntryRun {
  const { kind, streamName, streamVersion: firstVersion, previous, recordedAt } = entries[0]!
  return {
    kind,
    streamName,
    firstVersion,
    previous,
    recordedAt,
    salts: joined(entries, SALT_BYTES, ({ salt }) => salt),
    batch: {
      count: entries.length,
      ...typeColumnOf(entries),
      ids: joined(entries, ID_BYTES, ({ eventId }) => eventId),
      payloads: jsonColumnOfSlices(entries.map(({ payload }) => payload)),
      metadata: jsonColumnOfSlices(entries.map(({ metadata }) => metadata)),
    },
    hashes: joined(entries, HASH_BYTES, ({ hash }) => hash),
  }
}

/** Values of one width, one behind the other. */
function joined(entries: readonly Entry[], width: number, of: (entry: Entry) => Uint8Array): Uint8Array {
  const bytes = new Uint8Array(entries.length * width)
  for (let i = 0; i < entries.length; i++) bytes.set(of(entries[i]!), i * width)
  return bytes
}

export function batchOfEntry({ eventId, type, schemaVersion, payload, metadata }: UnplacedEntry): EventBatch {
  return {
    count: 1,
    types: [{ type, schemaVersion }],
    typeOf: FIRST_TYPE,
    ids: eventId,
    payloads: jsonColumnOf(payload),
    metadata: jsonColumnOf(metadata),
  }
}

/** A view of the hash of entry i. */
export function hashOfRun({ hashes }: EntryRun, i: number): Uint8Array {
  return hashes.length === HASH_BYTES ? hashes : hashes.subarray(i * HASH_BYTES, (i + 1) * HASH_BYTES)
}

const FIRST_TYPE = new Uint32Array(1)
