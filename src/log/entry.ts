// An entry of the log: what every part of the store passes on, whatever it is stored as.

export const SALT_BYTES = 16
export const SUITE_SHA256 = 1
/** Kinds of entries. */
export const KIND_EVENT = 0
export const KIND_SYSTEM = 1
/** No event: it says where events of its stream stand, see amendment.ts. */
export const KIND_AMENDMENT = 2
/** An event whose content was erased: it is hashed as {@link KIND_EVENT}, see erased-entry.ts. */
export const KIND_ERASED = 0x80

/** False for what a newer release wrote. What such an entry means for those around it, nobody here can tell. */
export function isKnownKind(kind: number): boolean {
  return KNOWN_KINDS.has(kind)
}

/** One entry of the log with everything its hash covers. Byte fields may be views: do not change them. */
export type Entry = Readonly<{
  kind: number
  streamName: string
  streamVersion: number
  /** Hash of the stream's previous entry, or its genesis. */
  previous: Uint8Array
  hash: Uint8Array
  recordedAt: number
  eventId: Uint8Array
  salt: Uint8Array
  type: string
  schemaVersion: number
  /** JSON text in UTF-8. */
  payload: Uint8Array
  /** JSON text in UTF-8, `{}` where there is none. */
  metadata: Uint8Array
}>

export type UnlinkedEntry = Omit<Entry, 'hash'>

const KNOWN_KINDS: ReadonlySet<number> = new Set([KIND_EVENT, KIND_SYSTEM, KIND_AMENDMENT, KIND_ERASED])
