// Primary keys, as IndexedDB takes them for equal.

import Dexie from 'dexie'
import type { RowKey } from '../model/read-model.ts'

export type KeyPath = string | readonly string[]

/** The primary key that a row holds. @throws Error where it holds none. */
export function keyIn(row: object, keyPath: KeyPath): RowKey {
  return checkedKey(Dexie.getByKeyPath(row, keyPath as string | string[]), `its primary key "${keyPath}"`)
}

/** @throws Error for what is no key, with a name for what should have been one. */
export function checkedKey(value: unknown, name: string): RowKey {
  if (isScalar(value) || (Array.isArray(value) && value.length > 0 && value.every(isScalar))) return value
  throw new Error(`${name} is neither a string nor a number, nor an array of these`)
}

/** The same text for the same key, and only for that. JSON would write both infinities as null. */
export function keyText(key: RowKey): string {
  if (typeof key === 'string') return `s${key.length}:${key}`
  // Of both zeros the text is the same, as they are the same key.
  if (typeof key === 'number') return `n${key}`
  return `[${key.map(keyText)}]`
}

function isScalar(value: unknown): value is string | number {
  return typeof value === 'string' || (typeof value === 'number' && !Number.isNaN(value))
}
