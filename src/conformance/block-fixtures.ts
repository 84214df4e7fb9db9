// Real blocks for tests of storages: linked entries, sealed as the engine seals them.

import type { StoredBlock } from '../log/block.ts'
import { BlockWriter } from '../log/block-writer.ts'
import { utf8 } from '../log/bytes.ts'
import type { Entry } from '../log/entry.ts'
import { bytesOfEventId, newEventId } from '../log/event-id.ts'
import { HashChain } from '../log/hash-chain.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { createSha256 } from '../log/sha256/create-sha256.ts'

export type FixtureOptions = Readonly<{
  /** Position of the first entry. Default 1. */
  first?: number
  /** Entries in the block. Default 1. */
  count?: number
  /** Characters in each payload. Default 10. */
  size?: number
}>

let sha256: Promise<HashProvider> | undefined

/** One block of one commit. */
export async function fixtureBlock({
  first = 1,
  count = 1,
  size = 10,
}: FixtureOptions = {}): Promise<StoredBlock> {
  sha256 ??= createSha256()
  const hash = await sha256
  const chain = new HashChain(hash)
  const writer = new BlockWriter(hash, first)
  let previous = chain.genesis('fixture', 'stream')
  for (let i = 0; i < count; i++) {
    const entry = fixtureEntry(chain, previous, first + i, size)
    previous = entry.hash
    writer.add(entry)
  }
  writer.endCommit({ onConflict: 'reappend' })
  const blocks = await writer.finish()
  if (blocks.length !== 1) throw new Error('A fixture block must fit into one block')
  return blocks[0]!
}

function fixtureEntry(chain: HashChain, previous: Uint8Array, streamVersion: number, size: number): Entry {
  const unlinked = {
    kind: 0,
    streamName: 'stream',
    streamVersion,
    previous,
    recordedAt: 1_700_000_000_000 + streamVersion,
    eventId: bytesOfEventId(newEventId()),
    salt: crypto.getRandomValues(new Uint8Array(16)),
    type: 'Happened',
    schemaVersion: 1,
    payload: utf8(JSON.stringify('x'.repeat(size))),
    metadata: utf8('{"tags":["ü"]}'),
  }
  return { ...unlinked, hash: chain.hashOf(unlinked) }
}
