// The fields of a page that holds some streams only: which ones, and what lies between.

import { bytesOfHex, hexOf } from '../log/bytes.ts'
import { HASH_BYTES } from '../log/hash-provider.ts'
import type { SkippedEntries } from '../log/skipped-entries.ts'
import type { StreamPattern } from '../log/stream-pattern.ts'
import { type Fields, MalformedMessage } from './untrusted-json.ts'

export type PartOfLog = Readonly<{
  streams: readonly StreamPattern[]
  skipped: readonly SkippedEntries[]
  /** Which of the page's commits, counted from 0, are not given whole. */
  cut: readonly number[]
}>

/** Left out where all of the log is given. */
export const partFields = ({ streams, skipped = [], cut = [] }: Partial<PartOfLog>): object =>
  streams
    ? {
        streams,
        skipped: skipped.map(({ start, end, roots }) => [start, end, roots.map(hexOf).join('')]),
        cut,
      }
    : {}

/** @throws {@link MalformedMessage} */
export function partIn(fields: Fields): PartOfLog | Record<string, never> {
  const { streams, skipped, cut } = fields
  if (streams === undefined) return {}
  if (!Array.isArray(streams) || !streams.every(one => typeof one === 'string')) {
    throw new MalformedMessage('unexpected', 'streams must be a list of patterns')
  }
  if (!Array.isArray(skipped)) throw new MalformedMessage('unexpected', 'skipped must be a list')
  if (!Array.isArray(cut) || !cut.every(Number.isSafeInteger)) {
    throw new MalformedMessage('unexpected', 'cut must be a list of whole numbers')
  }
  return { streams, skipped: skipped.map(stretchOf), cut }
}

const HEX_ROOT = 2 * HASH_BYTES

function stretchOf(value: unknown): SkippedEntries {
  const [start, end, hex] = Array.isArray(value) ? (value as unknown[]) : []
  const isStretch = Number.isSafeInteger(start) && Number.isSafeInteger(end) && typeof hex === 'string'
  if (!isStretch || !/^(?:[0-9a-f]{64})+$/.test(hex as string)) {
    throw new MalformedMessage('unexpected', 'a stretch that is skipped is none')
  }
  const text = hex as string
  const roots = Array.from({ length: text.length / HEX_ROOT }, (_, n) =>
    bytesOfHex(text.slice(n * HEX_ROOT, (n + 1) * HEX_ROOT)),
  )
  return { start: start as number, end: end as number, roots }
}
