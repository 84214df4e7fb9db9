// By which code events are folded. A snapshot is of use as long as every event in it would be folded the same way today.

import { hexOf, utf8 } from '../../log/bytes.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { HandlerCode, Upcaster } from '../../model/app.ts'
import type { FoldDefinition, FoldLog } from './fold.ts'

/** The code of a decider or projection, as it is in this worker. */
export type FoldCode = Readonly<{
  /** Short name of all of it. Snapshots of one code are kept apart from those of another. */
  id: string
  /**
   * What counts for every event: the definition's version, its categories, the initial state, to which document an event
   * belongs, and which build is wanted.
   */
  base: string
  /** Null for a type that nothing handles. */
  hashOf: (type: string) => string | null
  /** True where only the text of the handlers is known, as the build plugin was not there: helpers are not in it. */
  isWeak: boolean
}>

type CodeDefinition = Pick<FoldDefinition<unknown>, 'version' | 'handlerCode' | 'canHandle' | 'categories'> &
  Readonly<{ evolve: unknown; initialState?: unknown; getDocumentId?: unknown }>

/**
 * With the hashes that the build plugin wrote; without them, with hashes of the handlers' text beside the version.
 *
 * @param build the one that the application wanted last, if it ever did
 */
export function foldCodeOf(
  definition: CodeDefinition,
  { hash, today }: Pick<FoldLog, 'hash' | 'today'>,
  build: string | null = null,
): FoldCode {
  const { version = '1', canHandle, categories } = definition
  const code = definition.handlerCode ?? codeInText(definition, hash)
  const handled = canHandle && new Set(canHandle)
  const base = JSON.stringify([version, code.hasher, code.base, categories?.toSorted() ?? null, build])
  const handlerOf = (type: string): string | null => {
    const isFolded = today.knows(type) && (!handled || handled.has(type))
    return isFolded ? hashIn(code, type) : null
  }
  const hashOf = (type: string): string | null => {
    const { upcasters, types } = today.waysFrom(type)
    if (upcasters.length === 0) return handlerOf(type)
    return shortHash(
      [upcasters.map(one => upcasterIn(one, hash)), types.map(one => [one, handlerOf(one)])],
      hash,
    )
  }
  const named = new Set([...Object.keys(code.handlers), ...(canHandle ?? []), ...today.namedTypes])
  const all = [...named].sort().map(type => [type, hashOf(type)])
  return { id: shortHash([base, all], hash), base, hashOf, isWeak: !definition.handlerCode }
}

/** All of it that makes a difference. */
function upcasterIn({ type, from, to, toVersion, upcast, handlerCode }: Upcaster, hash: HashProvider) {
  const code = handlerCode
    ? [handlerCode.hasher, handlerCode.handlers]
    : [TEXT_HASHER, shortHash(String(upcast), hash)]
  return [type, from, to, toVersion, code]
}

function hashIn({ handlers }: HandlerCode, type: string): string | null {
  if (Object.hasOwn(handlers, type)) return handlers[type]!
  return handlers['*'] ?? null
}

function codeInText(
  { evolve, initialState, getDocumentId }: CodeDefinition,
  hash: HashProvider,
): HandlerCode {
  const hashText = (value: unknown) => shortHash(String(value), hash)
  const handlers =
    typeof evolve === 'object' && evolve !== null
      ? Object.fromEntries(Object.entries(evolve).map(([type, handler]) => [type, hashText(handler)]))
      : { '*': hashText(evolve) }
  return { hasher: TEXT_HASHER, base: hashText([initialState, getDocumentId].map(String)), handlers }
}

/** The text of a function says nothing of what it calls: better than nothing where there is nothing else. */
const TEXT_HASHER = 0
const SHORT_HASH_DIGITS = 16

const shortHash = (value: unknown, hash: HashProvider): string =>
  hexOf(hash.digest(utf8(JSON.stringify(value)))).slice(0, SHORT_HASH_DIGITS)
