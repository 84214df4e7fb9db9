// JSON of a stranger, looked at field by field: what is not as it should be is a MalformedMessage.

import { textOf } from '../log/bytes.ts'
import { MAX_JSON_DEPTH, nestsTooDeep } from '../log/json-text.ts'

/**
 * What is wrong with a message, for the answer and for the log of whoever runs the server. `newer`: nothing may be, but
 * this release does not know what a newer one has written.
 */
export type MessageFault = 'framing' | 'json' | 'block' | 'entry' | 'newer' | 'unexpected'

/** A message that is not what the protocol says it is. */
export class MalformedMessage extends Error {
  override readonly name = 'MalformedMessage'
  readonly fault: MessageFault

  constructor(fault: MessageFault, detail: string, options?: ErrorOptions) {
    super(detail, options)
    this.fault = fault
  }
}

export type Fields = Readonly<Record<string, unknown>>

/** @throws {@link MalformedMessage} for bytes that are no JSON, or nest too deep to look at. */
export function parseJson(bytes: Uint8Array, what: string, depth = MAX_JSON_DEPTH): unknown {
  if (nestsTooDeep(bytes, depth)) throw new MalformedMessage('json', `${what} nests deeper than ${depth}`)
  try {
    return JSON.parse(textOf(bytes))
  } catch (cause) {
    throw new MalformedMessage('json', `${what} is no JSON`, { cause })
  }
}

/** @throws {@link MalformedMessage} */
export function fieldsOf(value: unknown): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields
  throw new MalformedMessage('unexpected', 'an object is needed')
}

const MAX_TEXT = 4096

/** @throws {@link MalformedMessage} */
export function text(fields: Fields, name: string, maxLength = MAX_TEXT): string {
  const value = fields[name]
  if (typeof value === 'string' && value.length <= maxLength) return value
  throw new MalformedMessage('unexpected', `${name} must be a text of at most ${maxLength} characters`)
}

/** A whole number from 0. @throws {@link MalformedMessage} */
export function position(fields: Fields, name: string): number {
  const value = fields[name]
  if (Number.isSafeInteger(value) && (value as number) >= 0) return value as number
  throw new MalformedMessage('unexpected', `${name} must be a whole number from 0`)
}
