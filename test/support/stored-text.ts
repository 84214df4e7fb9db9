// Whether a text is still anywhere in what is stored: in blocks or in the side table.

import { equalBytes, utf8 } from '../../src/log/bytes.ts'
import type { MemoryDatabase } from '../../src/storage/memory/index.ts'

/** Where it is: positions of blocks, and keys. */
export function placesOf(text: string, { blocks, values }: MemoryDatabase): (number | string)[] {
  const wanted = utf8(text)
  return [
    ...blocks.filter(({ bytes }) => contains(bytes, wanted)).map(({ firstPosition }) => firstPosition),
    ...[...values].filter(([, bytes]) => contains(bytes, wanted)).map(([key]) => key),
  ]
}

function contains(bytes: Uint8Array, wanted: Uint8Array): boolean {
  for (let at = bytes.indexOf(wanted[0]!); at >= 0; at = bytes.indexOf(wanted[0]!, at + 1)) {
    if (equalBytes(bytes.subarray(at, at + wanted.length), wanted)) return true
  }
  return false
}

/** The first block that has it, by its index, and where in the block's bytes. */
export function placeOf(text: string, { blocks }: MemoryDatabase): readonly [block: number, at: number] {
  for (const [block, { bytes }] of blocks.entries()) {
    const at = new TextDecoder('latin1').decode(bytes).indexOf(text)
    if (at >= 0) return [block, at]
  }
  throw new Error(`No block has ${text}`)
}
