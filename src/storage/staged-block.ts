// Blocks that wait in the side table until all of a log is there: which key each has, and how it comes out again.

import type { StoredBlock } from '../log/block.ts'

/** In order of position, by the order of keys. */
export const stagedKey = (
  prefix: string,
  { firstPosition, lastPosition }: Pick<StoredBlock, 'firstPosition' | 'lastPosition'>,
): string => `${prefix}${String(firstPosition).padStart(DIGITS, '0')}-${lastPosition}`

export function stagedBlock(key: string, bytes: Uint8Array<ArrayBuffer>): StoredBlock {
  const [, first, last] = /(\d+)-(\d+)$/.exec(key)!
  return { firstPosition: Number(first), lastPosition: Number(last), bytes }
}

/** Of the largest safe integer. */
const DIGITS = 16
