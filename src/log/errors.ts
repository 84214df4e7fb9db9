// Every error the store throws on purpose: a code to branch on, the facts, and the way out.

import type { GlobalPosition, StreamVersion } from './event.ts'
import type { ExpectedStreamVersion } from './expected-version.ts'

/** Facts of an error: plain JSON, so that they cross ports and the network unchanged. */
export type ErrorFacts = Readonly<Record<string, unknown>>

/** Why a storage could not do what it was asked. */
export type StorageProblem =
  | 'blocked'
  | 'version-change'
  | 'closed'
  | 'quota'
  | 'data-loss'
  | 'timeout'
  | 'unavailable'
  | 'failed'

/** Every code with the facts that come with it and what a caller can do about it. */
const RECOVERY = {
  'version-conflict': 'Another writer got there first. Read the stream and decide again.',
  'id-conflict': 'These event ids are recorded already with other content. Give new events new ids.',
  'invalid-event': 'Correct the value at the path and append again; nothing of the batch was written.',
  'invalid-argument': 'Correct the argument; nothing was written.',
  'unknown-event': 'Name an event that the log has, and that no rebase superseded or amendment left out.',
  'key-missing':
    'A key that this needs is not on this device. Add it with `keys.add`, and try again; nothing was written.',
  'key-destroyed': 'This key was destroyed on this device, for good. Encrypt with another one.',
  'decryption-failed':
    'The event is not what was encrypted with its key: it was forged, or the key is another one of the same name. Skip the event or erase it, or get the right key.',
  'malformed-proof': 'This is no proof, checkpoint or key in its format. Get it again from where it came.',
  'not-signed':
    'Nobody signs this log, for the reason given. A bare proof and a root kept elsewhere serve as well.',
  'unknown-decider': 'Name a decider of the app that the worker serves.',
  'unknown-projection': 'Name a projection of the app, or a read model, that the worker serves.',
  'not-processed':
    'The projection did not come so far in time. Wait again, or ask for its status: it may have stopped at an event.',
  'unknown-merge':
    'The app that the worker serves has no merge of this name. Name one that it has, or update the app: what is pending stays.',
  'not-subscribed':
    'This replica syncs other streams of the store. Open it with a choice of `sync.streams` that the stream is in.',
  'merge-refused': 'The merge of the app refused. Show the reason; the events are kept with the rejection.',
  'command-refused': 'The decider refused the command. Show the reason; nothing was written.',
  'not-confirmed':
    'The server has not confirmed it in time. It stays pending and is sent when it can be: wait again.',
  'event-dropped':
    'The event does not count any more. Look for its rejection in `rejections()`, and decide again on what there is now.',
  'handler-failed': 'A handler of the app threw. Mend the handler; the log is intact.',
  'upcast-failed': 'An upcaster of the app threw. Mend the upcaster; the log is intact.',
  'unknown-event-type': 'The log has events of a newer version of the app. Update this one.',
  'log-damaged':
    'The stored log does not match its hashes. Open the store with `restore: true`: what is pending and whole stays, what can be read of the rest is told as rejected, what the server has comes again.',
  'import-refused':
    'The file was not taken in, and nothing was written. See the problem: `not-empty` needs `replace: true`, and says what would go.',
  'unsupported-format': 'The log was written by a newer version. Update the app.',
  'storage-failed':
    'The storage refused. See the problem: only data-loss means that acknowledged events are gone.',
  'worker-mismatch': 'Page and worker are of different versions of the app. Reload the page.',
  'worker-died': 'The worker ended before it answered. Try again with the same event ids.',
  'worker-timeout': 'The worker did not answer in time. Try again with the same event ids.',
  'store-closed': 'The store was closed. Open it again.',
  'sync-refused':
    'The server refused. Pending events are kept. Give sync a token that may do this, or have the server allow it and sync again.',
  'sync-unreachable':
    'The server cannot be reached. Pending events are kept, and sent as soon as it can be: nothing needs to be done.',
  'sync-protocol':
    'The server answered what the protocol does not allow. Pending events are kept. See that the address is that of a sync server of this store, and update what is older, the app or the server.',
  'unsupported-protocol':
    'App and server share no version of the sync protocol. Pending events are kept. Update the side that `facts.update` names: sync goes on by itself then.',
  'server-inconsistent':
    'The server signed a log that is not the one it has. Sync has stopped, pending events are kept. Keep the facts: they show it. After a restore its operator has to rotate the epoch.',
  aborted: 'The caller aborted the call.',
} as const

export type StoreErrorCode = keyof typeof RECOVERY

/** Base of all errors that the store throws on purpose. */
export class StoreError extends Error {
  override readonly name: string = 'StoreError'
  readonly code: StoreErrorCode
  /** Plain JSON facts: which stream, which version, which path. */
  readonly facts: ErrorFacts
  /** What a caller can do now, in a sentence. */
  readonly recovery: string

  constructor(code: StoreErrorCode, message: string, facts: ErrorFacts = {}, options?: ErrorOptions) {
    super(message, options)
    this.code = code
    this.facts = facts
    this.recovery = RECOVERY[code]
  }
}

/** Another writer got there first. Read the stream and decide again. */
export class VersionConflict extends StoreError {
  override readonly name = 'VersionConflict'
  declare readonly facts: Readonly<{
    streamName: string
    expected: ExpectedStreamVersion
    actual: StreamVersion
    /** Every violated expectation, the first of them above, when one append touched several streams. */
    violations: readonly Readonly<{
      streamName: string
      expected: ExpectedStreamVersion
      actual: StreamVersion
    }>[]
  }>

  constructor(violations: VersionConflict['facts']['violations']) {
    const first = violations[0]!
    super(
      'version-conflict',
      `Stream "${first.streamName}" is at version ${first.actual}, expected ${first.expected}`,
      { ...first, violations },
    )
  }
}

/** A value that the log cannot carry, with the path to it, such as `events[1].data.when`. */
export class InvalidEvent extends StoreError {
  override readonly name = 'InvalidEvent'
  declare readonly facts: Readonly<{ path: string; problem: string }>

  constructor(path: string, problem: string) {
    super('invalid-event', `${path}: ${problem}`, { path, problem })
  }
}

/** Stored bytes that do not match their hashes. */
export class LogDamaged extends StoreError {
  override readonly name = 'LogDamaged'
  declare readonly facts: Readonly<{ position: GlobalPosition; problem: string }>

  constructor(position: GlobalPosition, problem: string, options?: ErrorOptions) {
    super(
      'log-damaged',
      `The log is damaged at position ${position}: ${problem}`,
      { position, problem },
      options,
    )
  }
}

/** The storage refused, closed, or is full. */
export class StorageFailed extends StoreError {
  override readonly name = 'StorageFailed'
  declare readonly facts: Readonly<{ problem: StorageProblem }>

  constructor(problem: StorageProblem, message: string, options?: ErrorOptions) {
    super('storage-failed', message, { problem }, options)
  }
}

/** True for errors of this package, also for those that came over a port. */
export function isStoreError(error: unknown, code?: StoreErrorCode): error is StoreError {
  return error instanceof StoreError && (code === undefined || error.code === code)
}

/** Rebuilds an error from its wire form with the class it had. An unknown code stays a plain Error. */
export function storeErrorFrom(wire: { code: string; message: string; facts: ErrorFacts }): Error {
  if (!Object.hasOwn(RECOVERY, wire.code)) return new Error(wire.message)
  const error = new StoreError(wire.code as StoreErrorCode, wire.message, wire.facts)
  const prototype = CLASS_BY_CODE[error.code]
  if (!prototype) return error
  Object.defineProperty(error, 'name', { value: prototype.name, configurable: true })
  return Object.setPrototypeOf(error, prototype.prototype) as StoreError
}

const CLASS_BY_CODE: Partial<Record<StoreErrorCode, { name: string; prototype: StoreError }>> = {
  'version-conflict': VersionConflict,
  'invalid-event': InvalidEvent,
  'log-damaged': LogDamaged,
  'storage-failed': StorageFailed,
}
