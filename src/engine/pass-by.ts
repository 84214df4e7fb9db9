// Moves on over what others wrote to streams that are not held here, without a fact in the log: it would grow with all that
// happens elsewhere. What is forgotten of it is asked for once more.

import { isSameChoice } from '../log/stream-pattern.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import type { RemotePage } from './event-log.ts'
import { SERVER_TREE_KEY, type ServerTreeParts, serverTreeBehind, serverTreeValue } from './server-tree.ts'

export type PassByParts = ServerTreeParts & Readonly<{ storage: Pick<LogStorage, 'put'> }>

/** False for any other page: that one is to be taken in, or refused. */
export async function passBy(page: RemotePage, parts: PassByParts): Promise<boolean> {
  const { epoch, streams } = parts.index.cursor
  const isOfCursor = page.epoch === epoch && isSameChoice(page.streams, streams)
  if (!streams || !isOfCursor || page.commits.length > 0 || page.next === page.after) return false
  const tree = await serverTreeBehind(page, parts)
  if (tree?.size !== page.next) return false
  await parts.storage.put({ [SERVER_TREE_KEY]: await serverTreeValue(tree, parts.hash) })
  parts.index.passBy(page)
  return true
}
