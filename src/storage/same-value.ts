// Whether a value of the side table is the one that a caller expects.

import { equalBytes } from '../log/bytes.ts'

/** `undefined` stands for no value. */
export function isSame(value: Uint8Array | undefined, expected: Uint8Array | undefined): boolean {
  return value && expected ? equalBytes(value, expected) : value === expected
}
