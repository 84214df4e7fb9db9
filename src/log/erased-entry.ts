// An event without its content: data, tags, metadata and salt are gone, and what every hash covers is still there.

import { bytesOfHex, equalBytes, hexOf, utf8 } from './bytes.ts'
import { type Entry, KIND_AMENDMENT, KIND_ERASED, KIND_EVENT, SALT_BYTES } from './entry.ts'
import { HASH_BYTES } from './hash-provider.ts'

type Content = Pick<Entry, 'kind' | 'salt' | 'payload' | 'metadata'>

/** The entry as it stands where its content was erased: the hash of its body, as JSON text, in place of its payload. */
export function erasedForm<E extends Content>(entry: E, body: Uint8Array): E {
  return { ...entry, kind: KIND_ERASED, salt: NO_SALT, payload: utf8(`"${hexOf(body)}"`), metadata: NOTHING }
}

/**
 * The hash of the body that an erased entry had; null for one that is not in the form of {@link erasedForm} to the
 * byte, since nothing else is covered by its hash.
 */
export function erasedBodyOf({ salt, payload, metadata }: Content): Uint8Array | null {
  const digits = payload.length === FORM_BYTES ? FORM.exec(asciiOf(payload))?.[1] : undefined
  const isBare = salt.every(byte => byte === 0) && equalBytes(metadata, NOTHING)
  return digits === undefined || !isBare ? null : bytesOfHex(digits)
}

/** The kind that goes into an entry's hash. */
export function hashedKind(kind: number): number {
  return kind === KIND_ERASED ? KIND_EVENT : kind
}

/** Whether replicas send each other such entries; the others are a replica's own. */
export function isShared(kind: number): boolean {
  return hashedKind(kind) === KIND_EVENT || kind === KIND_AMENDMENT
}

const NO_SALT = new Uint8Array(SALT_BYTES)
const NOTHING = utf8('{}')
const FORM = /^"([0-9a-f]{64})"$/
const FORM_BYTES = 2 * HASH_BYTES + 2

const asciiOf = (bytes: Uint8Array): string => String.fromCharCode(...bytes)
