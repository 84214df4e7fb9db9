// A command: decided on the newest state, and again when another writer was first.

import { StoreError, VersionConflict } from '../log/errors.ts'
import type { StreamVersion } from '../log/event.ts'
import { bytesOfEventId, isEventId } from '../log/event-id.ts'
import { isExpectedStreamVersion, meetsExpectation } from '../log/expected-version.ts'
import { jsonTextOf } from '../log/json-text.ts'
import { resultAt } from './append-job.ts'
import { type CommandParts, foldDraft, planCommand, streamOf } from './command-plan.ts'
import type { Draft } from './draft.ts'
import type { EntryLookup } from './entry-lookup.ts'
import type { ExecuteRequest, ExecuteResult } from './event-log.ts'
import type { HeldStreams } from './held-streams.ts'
import type { Job } from './writer.ts'

const DEFAULT_RETRIES = 10

export type ExecuteParts = CommandParts & Readonly<{ lookup: EntryLookup; held: HeldStreams }>

/** @throws `InvalidEvent` or `StoreError` for a request that no state of the log would take. */
export function executeJob(request: ExecuteRequest, parts: ExecuteParts): Job<ExecuteResult> {
  const streamName = streamOf(request, parts)
  parts.held.mustHold(streamName)
  checkRequest(request)
  const retries = request.expectedStreamVersion === undefined ? (request.retries ?? DEFAULT_RETRIES) : 0
  let lastVersion: StreamVersion | null = null
  let decidedAgain = 0
  return {
    isAlone: false,
    async plan(draft) {
      const { version } = await draft.head(streamName)
      const earlier = await findEarlier(request, streamName, draft, parts)
      if (earlier) return earlier
      if (lastVersion !== null && lastVersion !== version && ++decidedAgain > retries) {
        throw new VersionConflict([{ streamName, expected: lastVersion, actual: version }])
      }
      lastVersion = version
      return decideOnce(request, streamName, draft, parts)
    },
  }
}

async function decideOnce(
  request: ExecuteRequest,
  streamName: string,
  draft: Draft,
  parts: ExecuteParts,
): Promise<ExecuteResult> {
  const { version } = await draft.head(streamName)
  const expected = request.expectedStreamVersion ?? 'NO_CONCURRENCY_CHECK'
  if (!meetsExpectation(expected, version))
    throw new VersionConflict([{ streamName, expected, actual: version }])
  const { decider, id, command, commandId } = request
  const state = await planCommand({ decider, id, command }, commandId, draft, parts)
  return {
    ...resultAt(streamName, draft, parts.lookup, { before: version, idempotent: false }),
    state,
  }
}

/** A command that was carried out before: its events stay as they are, the state is today's. */
async function findEarlier(
  request: ExecuteRequest,
  streamName: string,
  draft: Draft,
  parts: ExecuteParts,
): Promise<ExecuteResult | null> {
  const position = draft.positionOfId(bytesOfEventId(request.commandId))
  if (position === undefined) return null
  const entry = await parts.lookup.entryAt(position, draft)
  if (entry.streamName !== streamName) {
    const facts = { eventId: request.commandId, streamName: entry.streamName }
    throw new StoreError('id-conflict', `Command ${request.commandId} is an event of another stream`, facts)
  }
  const result = resultAt(streamName, draft, parts.lookup, {
    before: entry.streamVersion - 1,
    idempotent: true,
  })
  return { ...result, state: await foldDraft(request.decider, streamName, draft, parts) }
}

function checkRequest({ command, commandId, expectedStreamVersion, retries }: ExecuteRequest): void {
  jsonTextOf(command, 'command')
  const problem =
    (!isEventId(commandId) && 'commandId must be a UUID') ||
    (expectedStreamVersion !== undefined &&
      !isExpectedStreamVersion(expectedStreamVersion) &&
      'expectedStreamVersion is not known') ||
    (retries !== undefined &&
      !(Number.isSafeInteger(retries) && retries >= 0) &&
      'retries must be a whole number')
  if (problem) throw new StoreError('invalid-argument', problem)
}
