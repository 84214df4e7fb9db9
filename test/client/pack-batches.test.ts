import { expect, test } from 'vitest'
import { packBatches } from '../../src/client/pack-batches.ts'
import { encodeEvents, idOf, metadataOf, payloadOf } from '../../src/log/event-batch.ts'

test('packed batches read as the ones they were made of, and these stay', () => {
  const batches = [
    encodeEvents([{ type: 'A', data: 'x' }]),
    encodeEvents([]),
    encodeEvents([
      { type: 'B', data: 'déjà vu', metadata: { by: 'me' } },
      { type: 'A', data: [1, 2, 3] },
    ]),
  ]
  const { packed, buffer } = packBatches(batches)
  expect(packed).toEqual(batches)
  for (const batch of packed) expect(batch.ids.buffer).toBe(buffer)
  const last = packed[2]!
  expect(new TextDecoder().decode(payloadOf(last, 1))).toBe('[1,2,3]')
  expect(new TextDecoder().decode(metadataOf(last, 0))).toBe('{"metadata":{"by":"me"}}')
  structuredClone(packed, { transfer: [buffer] })
  expect(idOf(batches[2]!, 1)).toHaveLength(16)
})

test('nothing to pack is an empty buffer', () => {
  expect(packBatches([]).buffer.byteLength).toBe(0)
})
