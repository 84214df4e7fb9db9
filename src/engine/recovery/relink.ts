// Makes a log of commits that were taken out of another one: the same entries, each stream linked anew.

import type { StoredBlock } from '../../log/block.ts'
import { BlockWriter } from '../../log/block-writer.ts'
import type { CommitNote } from '../../log/commit-note.ts'
import type { Entry } from '../../log/entry.ts'
import type { UnplacedEntry } from '../../log/entry-run.ts'
import { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'

/** Entries that get their places, links and hashes anew. */
export type UnlinkedCommit = Readonly<{
  entries: readonly (UnplacedEntry & Pick<Entry, 'streamName'>)[]
  note: CommitNote | null
}>

/** Blocks of a log that begins with these commits: each stream anew, with the same ids. */
export function relinked(
  commits: readonly UnlinkedCommit[],
  storeId: string,
  hash: HashProvider,
): Promise<StoredBlock[]> {
  const chain = new HashChain(hash)
  const writer = new BlockWriter(hash, 1)
  const heads = new Map<string, Readonly<{ version: number; hash: Uint8Array }>>()
  for (const { entries, note } of commits) {
    for (const entry of entries) {
      const { streamName } = entry
      const head = heads.get(streamName) ?? { version: 0, hash: chain.genesis(storeId, streamName) }
      const unlinked = { ...entry, streamVersion: head.version + 1, previous: head.hash }
      const linked = { ...unlinked, hash: chain.hashOf(unlinked) }
      heads.set(streamName, { version: linked.streamVersion, hash: linked.hash })
      writer.add(linked)
    }
    writer.endCommit(note)
  }
  return writer.finish()
}
