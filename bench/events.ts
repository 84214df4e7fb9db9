// The events under measurement: the same for every store, from a seed, and the fold over them.

import type { BenchEvent, Folded } from './subject.ts'

const TYPES = ['ItemAdded', 'ItemRemoved', 'PriceChanged'] as const
const WORDS =
  'amber birch cedar delta ember fjord grove hazel inlet jasper kelp larch maple north ocean pine'.split(' ')

/** Events number `from` to `from + count - 1` of the endless row, spread over streams in runs of ten. */
export function makeEvents(from: number, count: number, streams = 10): BenchEvent[] {
  return Array.from({ length: count }, (_, i) => makeEvent(from + i, streams))
}

export const NOTHING: Folded = { events: 0, quantity: 0, revenue: 0 }

export function fold(before: Folded, { type, data }: Pick<BenchEvent, 'type' | 'data'>): Folded {
  const sign = type === 'ItemAdded' ? 1 : type === 'ItemRemoved' ? -1 : 0
  return {
    events: before.events + 1,
    quantity: before.quantity + sign * data.quantity,
    revenue: before.revenue + sign * data.quantity * data.price,
  }
}

function makeEvent(n: number, streams: number): BenchEvent {
  const random = mulberry32(n)
  const word = (): string => WORDS[Math.floor(random() * WORDS.length)]!
  return {
    id: uuidOf(n, random),
    stream: `cart-${Math.floor(n / 10) % streams}`,
    type: TYPES[Math.floor(random() * TYPES.length)]!,
    data: {
      sku: `${word()}-${word()}-${n}`,
      quantity: 1 + Math.floor(random() * 9),
      price: Math.floor(random() * 100_000),
      note: Array.from({ length: 10 }, word).join(' '),
    },
  }
}

/** Version 7 by its looks, so that every store may treat it as one. */
function uuidOf(n: number, random: () => number): string {
  const time = (1_700_000_000_000 + n).toString(16).padStart(12, '0')
  const hex = (length: number): string =>
    Array.from({ length }, () => Math.floor(random() * 16).toString(16)).join('')
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex(3)}-a${hex(3)}-${hex(12)}`
}

/** A small seeded generator (public domain, Tommy Ettinger): the same row on every machine. */
function mulberry32(seed: number): () => number {
  let state = (seed + 1) * 0x6d2b79f5
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}
