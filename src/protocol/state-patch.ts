// What is different between two states, so that a page is sent that alone and keeps the rest as it is. Parts that are the
// same object are the same: handlers make new states out of old ones and change nothing in place.

export type StatePatch =
  /** Another value. */
  | Readonly<{ to: unknown }>
  /** An object: properties that changed or are new, in order, and names of those that are gone. */
  | Readonly<{ set: readonly (readonly [key: string, patch: StatePatch])[]; gone: readonly string[] }>
  /** An array of the same length: elements that changed. */
  | Readonly<{ at: readonly (readonly [index: number, patch: StatePatch])[] }>
  /** An array of another length: what stands between the elements that are the same at both of its ends. */
  | Readonly<{ from: number; removed: number; inserted: readonly unknown[] }>

/** Null where nothing is different. */
export function patchBetween(before: unknown, after: unknown): StatePatch | null {
  if (Object.is(before, after)) return null
  if (Array.isArray(before) && Array.isArray(after)) return patchOfArray(before, after)
  if (isPlain(before) && isPlain(after)) return patchOfObject(before, after)
  return { to: after }
}

/** The second of two states, with the parts of the first that are equal. */
export function shared(before: unknown, after: unknown): unknown {
  return patched(before, patchBetween(before, after))
}

/** What did not change is the same object in the result. */
export function patched(before: unknown, patch: StatePatch | null): unknown {
  if (patch === null) return before
  if ('to' in patch) return patch.to
  if ('set' in patch) return patchedObject(before as PlainObject, patch)
  if ('at' in patch) {
    const array = [...(before as unknown[])]
    for (const [index, inner] of patch.at) array[index] = patched(array[index], inner)
    return array
  }
  return (before as unknown[]).toSpliced(patch.from, patch.removed, ...patch.inserted)
}

type PlainObject = Readonly<Record<string, unknown>>

function isPlain(value: unknown): value is PlainObject {
  if (typeof value !== 'object' || value === null) return false
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function patchOfArray(before: readonly unknown[], after: readonly unknown[]): StatePatch | null {
  if (before.length !== after.length) return splice(before, after)
  const at: [number, StatePatch][] = []
  for (let i = 0; i < after.length; i++) {
    const patch = patchBetween(before[i], after[i])
    if (patch) at.push([i, patch])
  }
  if (at.length === 0) return null
  return at.length * 2 > after.length ? { to: after } : { at }
}

function splice(before: readonly unknown[], after: readonly unknown[]): StatePatch {
  const least = Math.min(before.length, after.length)
  let from = 0
  while (from < least && isSame(before[from], after[from])) from++
  let same = 0
  while (same < least - from && isSame(before.at(-1 - same), after.at(-1 - same))) same++
  const inserted = after.slice(from, after.length - same)
  // More would not fit into one call.
  if (inserted.length > MOST_INSERTED) return { to: after }
  return { from, removed: before.length - same - from, inserted }
}

const MOST_INSERTED = 10_000

const isSame = (before: unknown, after: unknown): boolean => patchBetween(before, after) === null

function patchOfObject(before: PlainObject, after: PlainObject): StatePatch | null {
  const [names, wanted] = [Object.keys(before), Object.keys(after)]
  const set: [string, StatePatch][] = []
  for (const key of wanted) {
    const patch = Object.hasOwn(before, key) ? patchBetween(before[key], after[key]) : { to: after[key] }
    if (patch) set.push([key, patch])
  }
  const hasSameNames = names.length === wanted.length && names.every((key, i) => key === wanted[i])
  if (hasSameNames) return set.length === 0 ? null : { set, gone: [] }
  const patch = { set, gone: names.filter(key => !Object.hasOwn(after, key)) }
  return hasOrderOf(names, patch, wanted) ? patch : { to: after }
}

/** Keys come out in the same order: who lists them would see another one. */
function hasOrderOf(
  before: readonly string[],
  { set, gone }: ObjectPatch,
  wanted: readonly string[],
): boolean {
  const names = new Set(before)
  for (const key of gone) names.delete(key)
  for (const [key] of set) names.add(key)
  // Names that are numbers come first in any object, by their size.
  const ordered = [...names].filter(key => !isIndex(key))
  const inOrder = wanted.filter(key => !isIndex(key))
  return ordered.length === inOrder.length && ordered.every((key, i) => key === inOrder[i])
}

const isIndex = (key: string): boolean => /^(0|[1-9]\d{0,9})$/.test(key) && Number(key) < 2 ** 32 - 1

type ObjectPatch = Extract<StatePatch, { set: unknown }>

function patchedObject(before: PlainObject, { set, gone }: ObjectPatch): PlainObject {
  const object = { ...before }
  for (const key of gone) delete object[key]
  for (const [key, inner] of set) {
    const value = patched(Object.hasOwn(before, key) ? before[key] : undefined, inner)
    // Defined, not set: `__proto__` is a name, too.
    Object.defineProperty(object, key, { value, enumerable: true, writable: true, configurable: true })
  }
  return object
}
