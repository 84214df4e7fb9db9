// What an author keeps beside a commit, in the log of the own replica only: neither hashed nor pushed.

import { MalformedBytes } from './bytes.ts'

/** What happens to a raw append when the server has got other events for its stream in the meantime. */
export type OnConflict = 'reappend' | 'reject'

/**
 * How a pending commit is taken up again when sync has to rebase it: a command is decided again, a raw append
 * is appended again or rejected.
 */
export type CommitNote =
  | Readonly<{ command: Readonly<{ decider: string; id: string; command: unknown }> }>
  | Readonly<{ onConflict: OnConflict }>

export function noteText(note: CommitNote | null): string {
  return note === null ? '' : JSON.stringify(note)
}

/** @throws `MalformedBytes` */
export function readNote(text: string): CommitNote | null {
  if (text === '') return null
  const note = parse(text)
  if (typeof note === 'object' && note !== null) {
    if ('onConflict' in note && (note.onConflict === 'reappend' || note.onConflict === 'reject')) {
      return { onConflict: note.onConflict }
    }
    if ('command' in note && isCommand(note.command)) return { command: note.command }
  }
  throw new MalformedBytes('a commit note is not known')
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new MalformedBytes('a commit note is no JSON', { cause })
  }
}

function isCommand(value: unknown): value is { decider: string; id: string; command: unknown } {
  if (typeof value !== 'object' || value === null) return false
  const { decider, id } = value as Record<string, unknown>
  return typeof decider === 'string' && typeof id === 'string' && 'command' in value
}
