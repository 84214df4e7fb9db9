// Reads a long part of the log in stretches of positions, several of them under way at once: one read after the other
// leaves disk, processes and thread waiting for each other.

import type { GlobalPosition } from '../log/event.ts'
import type { ReadRange } from '../storage/log-storage.ts'

type Placed = Readonly<{ firstPosition: GlobalPosition; lastPosition: GlobalPosition }>

type Stretch<T> = Readonly<{ to: GlobalPosition; maxBytes: number; blocks: Promise<readonly T[]> }>

/** How much one read asks for at most. */
export const READ_BYTES = 1024 * 1024
const AT_ONCE = 4
/** What an entry is taken to need in a block, until one is found to be larger. */
const TYPICAL_ENTRY_BYTES = 320

/**
 * Blocks from the one that holds `from` to the one that holds `to`, as they are read. Gives an empty array, and ends,
 * where nothing is. A block that holds parts of two stretches is read twice and given once; where blocks are merged
 * meanwhile, one begins before the end of the one before it.
 */
export async function* readAhead<T extends Placed>(
  read: (range: ReadRange) => Promise<readonly T[]>,
  from: GlobalPosition,
  to: GlobalPosition,
): AsyncGenerator<readonly T[]> {
  let underWay: Stretch<T>[] = []
  let entryBytes = TYPICAL_ENTRY_BYTES
  let asked = from - 1
  let next = from
  const ask = (first: GlobalPosition, last: GlobalPosition): Stretch<T> => {
    const maxBytes = Math.min(READ_BYTES, (last - first + 1) * entryBytes)
    const blocks = read({ from: first, to: last, maxBytes })
    // Whoever waits for it hears of a failure; one who stopped does not.
    blocks.catch(() => {})
    return { to: last, maxBytes, blocks }
  }
  while (next <= to) {
    while (underWay.length < AT_ONCE && asked < to) {
      const stretch = ask(asked + 1, Math.min(to, asked + Math.ceil(READ_BYTES / entryBytes)))
      underWay.push(stretch)
      asked = stretch.to
    }
    const { to: end, maxBytes, blocks } = underWay.shift()!
    // A large block has brought all of it.
    if (end < next) continue
    const found = await blocks
    const behind = blocksBehind(found, next)
    if (behind.length > 0 || found.length === 0) yield behind
    if (found.length === 0) return
    next = Math.max(next, found.at(-1)!.lastPosition + 1)
    asked = Math.max(asked, next - 1)
    if (next > end) {
      entryBytes = Math.max(TYPICAL_ENTRY_BYTES, entryBytes / 2)
      continue
    }
    const foundBytes = maxBytes / entriesIn(found)
    if (foundBytes <= entryBytes) {
      underWay.unshift(ask(next, end))
      continue
    }
    // Entries are larger than was thought: what is under way brings but parts of its stretches.
    entryBytes = foundBytes
    underWay = []
    asked = next - 1
  }
}

const entriesIn = (blocks: readonly Placed[]): number =>
  blocks.reduce((sum, { firstPosition, lastPosition }) => sum + lastPosition - firstPosition + 1, 0)

/** Without the first ones that end before `next`. */
function blocksBehind<T extends Placed>(blocks: readonly T[], next: GlobalPosition): readonly T[] {
  const first = blocks.findIndex(({ lastPosition }) => lastPosition >= next)
  return first === 0 ? blocks : first < 0 ? [] : blocks.slice(first)
}
