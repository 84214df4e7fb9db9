import 'fake-indexeddb/auto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyText } from '../../src/dexie/row-key.ts'

test('the text of two keys is the same where IndexedDB takes them for the same, and only there', () => {
  // With all signs that the text has of its own.
  const scalar = fc.oneof(
    fc.string({ unit: fc.constantFrom(...'sn1:,[]'), maxLength: 4 }),
    fc.constantFrom(0, -0, 1, 11, 0.5, Infinity, -Infinity, 1e21),
  )
  const key = fc.oneof(scalar, fc.array(scalar, { minLength: 1, maxLength: 3 }))
  fc.assert(
    fc.property(key, key, (a, b) => {
      expect(keyText(a) === keyText(b)).toBe(indexedDB.cmp(a, b) === 0)
    }),
    {
      examples: [
        [
          ['a,sb', 'c'],
          ['a', 'b,sc'],
        ],
        [0, -0],
        ['1', 1],
        [['a'], 'a'],
        [Infinity, -Infinity],
      ],
    },
  )
})
