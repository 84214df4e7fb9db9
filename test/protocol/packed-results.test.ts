import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Hash } from '../../src/log/event.ts'
import { packResults, unpackResults } from '../../src/protocol/packed-results.ts'

const result = fc.record({
  nextExpectedStreamVersion: fc.maxSafeNat(),
  lastEventGlobalPosition: fc.maxSafeNat(),
  createdNewStream: fc.boolean(),
  idempotent: fc.boolean(),
  headHash: fc.stringMatching(/^[0-9a-f]{64}$/).map(text => text as Hash),
})

test('results come out as they went in, in parts of any size', () => {
  fc.assert(
    fc.property(fc.array(fc.array(result, { maxLength: 5 }), { maxLength: 20 }), parts => {
      const packed = packResults(parts.flat())
      let next = 0
      for (const part of parts) {
        expect(unpackResults(packed, next, part.length)).toEqual(part)
        next += part.length
      }
    }),
  )
})
