// By which code events were folded. A snapshot is of use as long as every event in it would be folded the same way today.

import type { HandlerCode } from '../../model/app.ts'
import type { FoldDefinition } from './fold.ts'

export type HandlerVersions = Readonly<{
  /** The same text as long as events of these types are folded by the same code. */
  versionOf: (types: Iterable<string>) => string
}>

/**
 * With the hashes that the build plugin wrote, each type by itself: a changed handler makes only those snapshots useless
 * that an event of its type is in, and so does a type that is handled now and was passed by before. Without them the
 * definition's own version stands for all of it.
 */
export function handlerVersionsOf(
  definition: Pick<FoldDefinition<unknown>, 'version' | 'handlerCode' | 'canHandle'>,
): HandlerVersions {
  const { version = '1', handlerCode: code, canHandle } = definition
  if (!code) return { versionOf: () => version }
  const handled = canHandle && new Set(canHandle)
  const hashOf = (type: string): string | null => (!handled || handled.has(type) ? hashIn(code, type) : null)
  return {
    versionOf(types) {
      const hashes = [...types].toSorted().map(type => [type, hashOf(type)])
      return JSON.stringify([version, code.hasher, code.base, hashes])
    },
  }
}

/** Null for a type that nothing handles. */
function hashIn({ handlers }: HandlerCode, type: string): string | null {
  if (Object.hasOwn(handlers, type)) return handlers[type]!
  return handlers['*'] ?? null
}
