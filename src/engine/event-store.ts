// The typed API over an open log, in the place where the log is: worker, server, tests.

import { StoreError } from '../log/errors.ts'
import type { Event, RecordedEvent } from '../log/event.ts'
import { encodeEvents } from '../log/event-batch.ts'
import { isExpectedStreamVersion } from '../log/expected-version.ts'
import { encodeAmendments } from '../model/encode-amendments.ts'
import type {
  AppendOptions,
  AppendResult,
  EventStore,
  ReadAllOptions,
  ReadStreamOptions,
  ReadStreamResult,
  StreamAppend,
  SubscribeOptions,
  Subscription,
} from '../model/event-store.ts'
import { evolveState } from '../model/evolve.ts'
import type { EncodedAppend, EventLog } from './event-log.ts'
import { plainEvent } from './recorded-events.ts'
import { subscribeToLog } from './subscription.ts'

/** Closing the store closes the log. */
export function createEventStore(log: EventLog): EventStore {
  return {
    async appendToStream<E extends Event>(
      streamName: string,
      events: readonly E[],
      options: AppendOptions = {},
    ) {
      const { expectedStreamVersion, onAccepted, ...rest } = options
      const append = {
        streamName,
        events,
        ...(expectedStreamVersion !== undefined && { expectedStreamVersion }),
      }
      const [result] = await log.append({
        appends: [encodeAppend(append)],
        ...rest,
        ...(onAccepted && { onAccepted: ([accepted]) => onAccepted(accepted!) }),
      })
      return result!
    },

    async appendToStreams(appends, options = {}): Promise<readonly AppendResult[]> {
      if (appends.length === 0) return []
      return log.append({ appends: appends.map(encodeAppend), ...options })
    },

    async readStream<E extends Event>(streamName: string, options: ReadStreamOptions = {}) {
      const events: RecordedEvent[] = []
      const read = log.today.read(options, bounded => log.readStream(streamName, bounded))
      for await (const part of read) {
        for (const event of part) events.push(plainEvent(event))
      }
      const version = log.streamVersion(streamName)
      const result: ReadStreamResult = { streamExists: version > 0, currentStreamVersion: version, events }
      // The caller names the event types of the stream; the log cannot know them.
      return result as unknown as ReadStreamResult<E>
    },

    async *readAll<E extends Event>(options: ReadAllOptions = {}) {
      for await (const part of log.today.read(options, bounded => log.readAll(bounded))) {
        for (const event of part) yield plainEvent(event) as RecordedEvent<E>
      }
    },

    async streamExists(streamName) {
      return log.streamVersion(streamName) > 0
    },

    async aggregateStream(streamName, { evolve, initialState }) {
      let state = initialState()
      for await (const part of log.today.read({}, () => log.readStream(streamName))) {
        for (const event of part) state = evolveState(evolve, state, event as never)
      }
      const version = log.streamVersion(streamName)
      return { state, currentStreamVersion: version, streamExists: version > 0 }
    },

    async subscribe<E extends Event>(
      onEvent: (event: RecordedEvent<E>) => void | Promise<void>,
      options: SubscribeOptions = {},
    ): Promise<Subscription> {
      return subscribeToLog(log, event => onEvent(plainEvent(event) as RecordedEvent<E>), options)
    },

    async amendStream(streamName, amendments, options) {
      return log.amend(encodeAmendments(streamName, amendments, options))
    },

    amendments: streamName => log.amendments(streamName),
    eraseEvent: (eventId, options) => log.erasures.erase([eventId], options),
    eraseSubject: (key, value, options) => log.erasures.eraseSubject(key, value, options),
    erasures: async () => log.erasures.list(),
    verify: options => log.verify(options),
    proveInclusion: (eventId, treeSize) => log.proofs.proveInclusion(eventId, treeSize),
    proveConsistency: (size1, size2) => log.proofs.proveConsistency(size1, size2),
    checkpoint: () => log.proofs.checkpoints.make(),
    exportProof: (eventId, options) => log.proofs.exportProof(eventId, options),
    close: () => log.close(),
  }
}

/** @throws `InvalidEvent` with the path of what cannot be stored; `StoreError` `invalid-argument`. */
function encodeAppend({
  streamName,
  events,
  expectedStreamVersion = 'NO_CONCURRENCY_CHECK',
}: StreamAppend): EncodedAppend {
  if (!isExpectedStreamVersion(expectedStreamVersion)) {
    throw new StoreError('invalid-argument', `No such expected version: ${String(expectedStreamVersion)}`)
  }
  return { streamName, expectedStreamVersion, batch: encodeEvents(events) }
}
