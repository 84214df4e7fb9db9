// Which build of a projection is wanted: each time that the application has everything folded again, one with a name of its
// own, kept on this device. The name counts as code does, so what was folded before is of other code: it is given until
// all is folded again, also when that is interrupted, and never gone on with.

import { textOf, utf8 } from '../../log/bytes.ts'
import { newEventId } from '../../log/event-id.ts'
import { contentOf, sealedValue } from '../sealed-value.ts'
import type { FoldLog } from './fold.ts'

type BuildLog = Pick<FoldLog, 'storage' | 'hash'>

const keyOf = (projection: string): string => `build/${encodeURIComponent(projection)}`

/** Null as long as none was wanted. */
export async function readWantedBuild(
  { storage, hash }: BuildLog,
  projection: string,
): Promise<string | null> {
  const bytes = await storage.get(keyOf(projection))
  if (!bytes) return null
  const content = await contentOf(bytes, hash)
  // Which one it was is lost: none of those before may be taken for it.
  return content ? textOf(content) : wantNewBuild({ storage, hash }, projection)
}

export async function wantNewBuild({ storage, hash }: BuildLog, projection: string): Promise<string> {
  const build = newEventId()
  await storage.put({ [keyOf(projection)]: await sealedValue(utf8(build), hash) })
  return build
}
