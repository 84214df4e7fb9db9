// What an author keeps beside a commit, in the log of the own replica only: neither hashed nor pushed.

import { equalBytes, MalformedBytes, textOf, utf8 } from './bytes.ts'

export type ConflictPolicy = 'reappend' | 'reject'

/**
 * What happens to a raw append when the server has got other events for its stream in the meantime. A merge is named, as
 * it stands in the app: functions neither cross ports nor outlive a session.
 */
export type OnConflict<M extends string = string> = ConflictPolicy | Readonly<{ merge: M }>

/**
 * How a pending commit is taken up again when sync has to rebase it: a command is decided again, a raw append
 * is appended again, merged or rejected.
 */
export type CommitNote =
  | Readonly<{ command: Readonly<{ decider: string; id: string; command: unknown }> }>
  /** A command whose events are encrypted: as Base 64 of IV, ciphertext and tag. */
  | Readonly<{
      encryptedCommand: Readonly<{ decider: string; id: string; keyId: string; command: string }>
    }>
  | Readonly<{ onConflict: OnConflict }>
  /** Of another author's commit only what is in the streams that are held here: never sent, since it is not all of it. */
  | typeof IN_PART

export const IN_PART = { inPart: true } as const

export const isInPart = (note: CommitNote | null): note is typeof IN_PART => note !== null && 'inPart' in note

export function noteText(note: CommitNote | null): string {
  return note === null ? '' : JSON.stringify(note)
}

export function noteBytes(note: CommitNote | null): Uint8Array {
  if (note === null) return NOTHING
  const usual = 'onConflict' in note && USUAL.find(one => one.note.onConflict === note.onConflict)
  return usual ? usual.bytes : utf8(noteText(note))
}

/** What is read is sound, and means nothing to this release. */
export class UnknownNote extends MalformedBytes {}

/** @throws `MalformedBytes`; {@link UnknownNote} for one of a kind that is not known here. */
export function readNote(bytes: Uint8Array): CommitNote | null {
  if (bytes.length === 0) return null
  const usual = USUAL.find(one => equalBytes(one.bytes, bytes))
  return usual ? usual.note : parseNote(bytes)
}

const NOTHING = new Uint8Array()

/** Most commits have one of these: they are compared, not parsed. */
const USUAL = (['reappend', 'reject'] as const).map(onConflict => {
  const note = { onConflict }
  return { note, bytes: utf8(noteText(note)) }
})

function parseNote(bytes: Uint8Array): CommitNote {
  const note = parse(bytes)
  if (typeof note === 'object' && note !== null) {
    if ('onConflict' in note && isOnConflict(note.onConflict)) return { onConflict: note.onConflict }
    if ('command' in note && isCommand(note.command)) return { command: note.command }
    if ('encryptedCommand' in note && isEncryptedCommand(note.encryptedCommand)) {
      return { encryptedCommand: note.encryptedCommand }
    }
    if ('inPart' in note && note.inPart === true) return IN_PART
    throw new UnknownNote('has a commit note of a kind that is not known here')
  }
  throw new MalformedBytes('has a commit note that is no object')
}

export function isOnConflict(value: unknown): value is OnConflict {
  if (value === 'reappend' || value === 'reject') return true
  return typeof value === 'object' && value !== null && 'merge' in value && typeof value.merge === 'string'
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(textOf(bytes))
  } catch (cause) {
    throw new MalformedBytes('a commit note is no JSON', { cause })
  }
}

function isCommand(value: unknown): value is { decider: string; id: string; command: unknown } {
  if (typeof value !== 'object' || value === null) return false
  const { decider, id } = value as Record<string, unknown>
  return typeof decider === 'string' && typeof id === 'string' && 'command' in value
}

function isEncryptedCommand(
  value: unknown,
): value is { decider: string; id: string; keyId: string; command: string } {
  return (
    isCommand(value) &&
    typeof value.command === 'string' &&
    'keyId' in value &&
    typeof value.keyId === 'string'
  )
}
