// Tells the server what was erased here, and takes over what it says was erased elsewhere.

import type { EventLog } from '../engine/event-log.ts'
import type { Answer, Transport } from './transport.ts'

export type ErasureExchangeParts = Readonly<{
  log: Pick<EventLog, 'erasures'>
  transport: Pick<Transport, 'erase' | 'erasures'>
}>

/** Takes over the server's list up to `count` records. */
export async function takeErasures(
  epoch: string,
  count: number,
  { log, transport }: ErasureExchangeParts,
  signal: AbortSignal,
): Promise<Answer<null>> {
  const { cursor } = log.erasures
  for (let after = cursor.takenOf(epoch); after < count; after = cursor.takenOf(epoch)) {
    const answer = await transport.erasures(after, signal)
    if (answer.type !== 'ok') return answer
    const page = answer.value
    if (page.epoch !== epoch) return { type: 'epoch-changed', expected: epoch, actual: page.epoch }
    for (const [i, erasure] of page.erasures.entries()) {
      await log.erasures.take(erasure)
      await cursor.took(epoch, after + i + 1)
    }
  }
  return { type: 'ok', value: null }
}

/** Tells the server of the oldest erasure that it need be told of. */
export async function sendErasure(
  epoch: string,
  { log, transport }: ErasureExchangeParts,
  signal: AbortSignal,
): Promise<Answer<null>> {
  const { cursor } = log.erasures
  const [record] = cursor.unsentTo(epoch)
  if (!record) return { type: 'ok', value: null }
  const { eventIds, reason, erasedAt } = record
  const answer = await transport.erase({ epoch, eventIds, reason, erasedAt }, signal)
  if (answer.type !== 'ok') return answer
  await cursor.sent(epoch, record.number)
  return { type: 'ok', value: null }
}
