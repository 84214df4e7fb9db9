// An exported log as a storage that is only read: whatever reads a log reads the file, a part at a time.

import type { BlockPlace, LogFile } from '../../integrity/log-file.ts'
import type { StoredBlock } from '../../log/block.ts'
import { StorageFailed } from '../../log/errors.ts'
import type { LogStorage, ReadRange } from '../../storage/log-storage.ts'
import { memoryStorage } from '../../storage/memory/memory-storage.ts'

/** What a log keeps beside its blocks is in memory, and ends with it. */
export function logFileStorage({ blocks }: Pick<LogFile, 'blocks'>, file: Blob): LogStorage {
  const aside = memoryStorage()
  return {
    capabilities: { durable: false, sharedWriters: false },
    open: () => aside.open(),
    head: async () => blocks.at(-1)?.lastPosition ?? 0,
    read: range => readPlaces(placesIn(blocks, range), file),
    append: async () => {
      throw new StorageFailed('unavailable', 'An exported log is only read')
    },
    get: key => aside.get(key),
    list: prefix => aside.list(prefix),
    keys: (prefix, limit) => aside.keys(prefix, limit),
    put: values => aside.put(values),
    swap: (...args) => aside.swap(...args),
    onLost() {
      // A file that is taken away fails each read.
    },
    close: () => aside.close(),
  }
}

function placesIn(
  blocks: readonly BlockPlace[],
  { from, to = Infinity, maxBytes = Infinity }: ReadRange,
): BlockPlace[] {
  const places: BlockPlace[] = []
  let bytes = 0
  for (let i = firstEndingAt(blocks, from); i < blocks.length; i++) {
    const place = blocks[i]!
    if (place.firstPosition > to || bytes >= maxBytes) break
    places.push(place)
    bytes += place.length
  }
  return places
}

/** In one piece: they follow on each other in the file, too. */
async function readPlaces(places: readonly BlockPlace[], file: Blob): Promise<StoredBlock[]> {
  const [first, last] = [places[0], places.at(-1)]
  if (!first || !last) return []
  const bytes = new Uint8Array(await bytesOf(file.slice(first.start, last.start + last.length)))
  return places.map(({ firstPosition, lastPosition, start, length }) => {
    const at = start - first.start
    return { firstPosition, lastPosition, bytes: bytes.slice(at, at + length) }
  })
}

async function bytesOf(part: Blob): Promise<ArrayBuffer> {
  try {
    return await part.arrayBuffer()
  } catch (cause) {
    throw new StorageFailed('unavailable', 'The file cannot be read any more', { cause })
  }
}

/** Index of the first block that ends at `position` or later. */
function firstEndingAt(blocks: readonly BlockPlace[], position: number): number {
  let [low, high] = [0, blocks.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (blocks[middle]!.lastPosition < position) low = middle + 1
    else high = middle
  }
  return low
}
