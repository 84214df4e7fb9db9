// JSON text that carries a value faithfully, or a refusal with the path of what it cannot carry.

import { InvalidEvent } from './errors.ts'

/** Deepest nesting of arrays and objects that an event may have. */
export const MAX_JSON_DEPTH = 64

/**
 * JSON text of a value. What `JSON.stringify` would drop or change without a word (`undefined`, `NaN`, `Map`,
 * `Date`, lone surrogates, ...) is refused; -0 becomes 0.
 *
 * @throws {@link InvalidEvent} with the path of the first value that JSON cannot carry.
 */
export function jsonTextOf(value: unknown, path: string): string {
  checkFaithful(value, path)
  return JSON.stringify(value)
}

/** Throws as {@link jsonTextOf} does, for a value whose text is there already. */
export function checkFaithful(value: unknown, path: string): void {
  const refusal = findUnfaithful(value, 1)
  if (refusal) throw new InvalidEvent(path + refusal.path, refusal.problem)
}

type Refusal = { path: string; problem: string }

function findUnfaithful(value: unknown, depth: number): Refusal | undefined {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? undefined : { path: '', problem: 'the text has a lone surrogate' }
    case 'number':
      return Number.isFinite(value) ? undefined : { path: '', problem: `JSON has no ${value}` }
    case 'boolean':
      return undefined
    case 'object':
      if (value === null) return undefined
      if (depth > MAX_JSON_DEPTH) return { path: '', problem: `nested deeper than ${MAX_JSON_DEPTH}` }
      return Array.isArray(value) ? findInArray(value, depth) : findInObject(value, depth)
    default:
      return { path: '', problem: `JSON has no ${typeof value}` }
  }
}

function findInArray(array: readonly unknown[], depth: number): Refusal | undefined {
  for (let i = 0; i < array.length; i++) {
    const refusal = findUnfaithful(array[i], depth + 1)
    if (refusal) return { path: `[${i}]${refusal.path}`, problem: refusal.problem }
  }
  return undefined
}

function findInObject(object: object, depth: number): Refusal | undefined {
  const prototype = Object.getPrototypeOf(object)
  // A plain object of another realm (an iframe) has a prototype without a prototype, too.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) {
    return {
      path: '',
      problem: `JSON has no ${object.constructor?.name ?? 'class instance'}; give plain data`,
    }
  }
  if (typeof (object as { toJSON?: unknown }).toJSON === 'function') {
    return { path: '', problem: 'toJSON would store something else; give plain data' }
  }
  for (const key of Object.keys(object)) {
    const refusal =
      findUnfaithful((object as Record<string, unknown>)[key], depth + 1) ??
      (key.isWellFormed() ? undefined : { path: '', problem: 'the key has a lone surrogate' })
    if (refusal) return { path: `.${key}${refusal.path}`, problem: refusal.problem }
  }
  return undefined
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * True when JSON bytes nest deeper than {@link MAX_JSON_DEPTH}: asked before `JSON.parse` sees bytes of a
 * stranger, without recursion. Says nothing of whether the bytes are JSON at all.
 */
export function nestsTooDeep(json: Uint8Array, allowed: number = MAX_JSON_DEPTH): boolean {
  let depth = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const byte = json[i]
    if (inString) {
      if (byte === BACKSLASH) i++
      else if (byte === QUOTE) inString = false
    } else if (byte === QUOTE) inString = true
    else if (byte === 0x5b || byte === 0x7b) {
      if (++depth > allowed) return true
    } else if (byte === 0x5d || byte === 0x7d) depth--
  }
  return false
}
