// What every provider checks before it replaces blocks, so that no caller can move the head or tear a hole.

import type { StoredBlock } from '../log/block.ts'
import { equalBytes } from '../log/bytes.ts'
import { StoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'

/** The positions that a replacement covers. */
export type ReplacedRange = Readonly<{ first: GlobalPosition; last: GlobalPosition }>

/**
 * The range of blocks that are to stand in the place of others.
 *
 * @throws `StoreError` `invalid-argument` when they leave a gap, or end elsewhere than what they replace.
 */
export function replacedRange(before: readonly StoredBlock[], blocks: readonly StoredBlock[]): ReplacedRange {
  const first = blocks[0]?.firstPosition
  const last = before.at(-1)?.lastPosition
  if (first === undefined || last === undefined) throw refused('there is nothing to replace')
  let next = first
  for (const { firstPosition, lastPosition } of blocks) {
    if (firstPosition !== next) throw refused(`a block begins at ${firstPosition}, not at ${next}`)
    next = lastPosition + 1
  }
  if (next !== last + 1) throw refused(`the blocks end at ${next - 1}, not at ${last}`)
  return { first, last }
}

/** Whether the blocks that stand there are those that a caller has read. */
export function areAsRead(standing: readonly StoredBlock[], before: readonly StoredBlock[]): boolean {
  return (
    standing.length === before.length &&
    standing.every(({ firstPosition, lastPosition, bytes }, i) => {
      const read = before[i]!
      return (
        firstPosition === read.firstPosition &&
        lastPosition === read.lastPosition &&
        equalBytes(bytes, read.bytes)
      )
    })
  )
}

const refused = (problem: string): StoreError =>
  new StoreError('invalid-argument', `Blocks cannot be replaced: ${problem}`, { problem })
