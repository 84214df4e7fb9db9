import { expect, test } from 'vitest'
import { fold, makeEvents, NOTHING } from '../../bench/events.ts'
import { assertFolded } from '../../bench/expected-fold.ts'

const folded = makeEvents(0, 100).reduce(fold, NOTHING)

test('takes a store that folds to what was appended', () => {
  expect(() => assertFolded(folded, 100)).not.toThrow()
})

test('refuses a store that lost an event', () => {
  expect(() => assertFolded(makeEvents(0, 99).reduce(fold, NOTHING), 100)).toThrow('instead of')
})

test('refuses a store that counts right and folds wrong', () => {
  expect(() => assertFolded({ ...folded, revenue: folded.revenue + 1 }, 100)).toThrow('instead of')
})
