// What an amendment may say, and what is none: another replica's is read before it is believed.

import { describe, expect, test } from 'vitest'
import {
  amendmentBytes,
  MAX_AMENDMENT_REASON,
  MAX_ORDER_CHANGES,
  newEventsIn,
  newVersionIn,
  type OrderChange,
  readAmendment,
} from '../../src/log/amendment.ts'
import { utf8 } from '../../src/log/bytes.ts'

const read = (content: unknown, version: number) => readAmendment(utf8(JSON.stringify(content)), version)
const readChanges = (version: number, ...changes: unknown[]) =>
  read({ reason: 'a typing error', changes }, version)?.changes ?? null

describe('an amendment is read', () => {
  test('as it was written, whatever it changes', () => {
    const changes: OrderChange[] = [
      { kind: 'move', version: 3, after: 0 },
      { kind: 'insert', version: 5, after: 1 },
      { kind: 'remove', version: 2 },
      { kind: 'replace', version: 5, by: 6 },
      { kind: 'move', version: 1, after: 6 },
    ]
    const content = { reason: 'ünï 🎲', changes }
    expect(readAmendment(amendmentBytes(content), 7)).toEqual(content)
  })

  test('up to the longest reason and the most changes', () => {
    const reason = 'x'.repeat(MAX_AMENDMENT_REASON)
    const changes = Array.from({ length: MAX_ORDER_CHANGES }, () => ({ kind: 'remove', version: 1 }))
    expect(read({ reason, changes }, 2)?.changes).toHaveLength(MAX_ORDER_CHANGES)
    expect(read({ reason: `${reason}x`, changes }, 2)).toBeNull()
    expect(read({ reason, changes: [...changes, changes[0]] }, 2)).toBeNull()
  })

  test('without what is not of its kind', () => {
    const change = { kind: 'remove', version: 1, after: 2, by: 2, note: 'x' }
    expect(readChanges(4, change)).toEqual([{ kind: 'remove', version: 1 }])
    expect(readChanges(4, { ...change, kind: 'move' })).toEqual([{ kind: 'move', version: 1, after: 2 }])
  })

  test('with the versions of what it puts in', () => {
    const insert: OrderChange = { kind: 'insert', version: 5, after: 1 }
    const replace: OrderChange = { kind: 'replace', version: 4, by: 6 }
    const move: OrderChange = { kind: 'move', version: 5, after: 1 }
    expect([insert, replace, move].map(newVersionIn)).toEqual([5, 6, null])
    expect(newEventsIn([insert, replace, move])).toBe(2)
  })
})

describe('no amendment is', () => {
  test.each([
    ['text that is no JSON', '{"reason":'],
    ['null', 'null'],
    ['a list', '[]'],
    ['one without a reason', '{"changes":[{"kind":"remove","version":1}]}'],
    ['one whose reason is no text', '{"reason":1,"changes":[{"kind":"remove","version":1}]}'],
    ['one without changes', '{"reason":""}'],
    ['one with no change', '{"reason":"","changes":[]}'],
    ['one whose changes are no list', '{"reason":"","changes":{"length":1}}'],
  ])('%s', (_, text) => {
    expect(readAmendment(utf8(text), 9)).toBeNull()
  })

  test('bytes that are no UTF-8', () => {
    expect(readAmendment(Uint8Array.of(0xff, 0xfe), 9)).toBeNull()
  })

  // Behind seven events.
  test.each([
    ['of no kind', {}],
    ['of a kind that is not known', { kind: 'swap', version: 1, after: 2 }],
    ['of a kind that objects inherit', { kind: 'constructor', version: 1 }],
    ['that is null', null],
    ['that is a text', 'remove'],
    ['of no version', { kind: 'remove' }],
    ['of version 0', { kind: 'remove', version: 0 }],
    ['of a version that is a text', { kind: 'remove', version: '1' }],
    ['of half a version', { kind: 'remove', version: 1.5 }],
    ['of the amendment itself', { kind: 'remove', version: 8 }],
    ['of what comes behind it', { kind: 'move', version: 9, after: 1 }],
    ['behind nothing', { kind: 'move', version: 1 }],
    ['behind what is before the beginning', { kind: 'move', version: 1, after: -1 }],
    ['behind the amendment itself', { kind: 'move', version: 1, after: 8 }],
    ['behind the event itself', { kind: 'move', version: 1, after: 1 }],
    ['that replaces by nothing', { kind: 'replace', version: 1 }],
    ['that replaces by the beginning', { kind: 'replace', version: 1, by: 0 }],
    ['that replaces by the event itself', { kind: 'replace', version: 7, by: 7 }],
    ['that replaces by the amendment', { kind: 'replace', version: 7, by: 8 }],
  ])('one with a change %s', (_, change) => {
    const sound = { kind: 'remove', version: 1 }
    expect(readChanges(8, sound)).toEqual([sound])
    expect(readChanges(8, sound, change)).toBeNull()
  })

  test('one whose new events do not stand right before it, in the order of its changes', () => {
    const [first, second] = [
      { kind: 'insert', version: 6, after: 0 },
      { kind: 'replace', version: 1, by: 7 },
    ]
    expect(readChanges(8, first, { kind: 'remove', version: 2 }, second)).toHaveLength(3)
    expect(readChanges(8, second, first)).toBeNull()
    expect(readChanges(9, first, second)).toBeNull()
    expect(readChanges(8, first)).toBeNull()
    expect(readChanges(8, second, { kind: 'insert', version: 7, after: 0 })).toBeNull()
    // An event that was there before cannot be put in.
    expect(readChanges(8, { kind: 'insert', version: 3, after: 0 })).toBeNull()
  })

  test('one that names an event before it puts it in', () => {
    const insert = { kind: 'insert', version: 7, after: 2 }
    for (const change of [
      { kind: 'remove', version: 7 },
      { kind: 'move', version: 7, after: 1 },
      { kind: 'move', version: 1, after: 7 },
    ]) {
      expect(readChanges(8, insert, change)).toEqual([insert, change])
      expect(readChanges(8, change, insert)).toBeNull()
    }
    expect(readChanges(2, { kind: 'insert', version: 1, after: 0 })).toHaveLength(1)
    expect(readChanges(1, { kind: 'insert', version: 0, after: 0 })).toBeNull()
  })
})
