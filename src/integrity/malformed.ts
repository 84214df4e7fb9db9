// What a stranger's note, key or proof is refused with when it is not in its format.

import { StoreError } from '../log/errors.ts'

export const malformed = (problem: string): StoreError =>
  new StoreError('malformed-proof', `This cannot be read: ${problem}`, { problem })
