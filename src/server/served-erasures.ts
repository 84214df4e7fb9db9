// What was erased of a store's log: replicas say so, and ask for it.

import type { EraseReceipt, EraseRequest, ErasuresPage } from '../protocol/erasure-messages.ts'
import { checkEpoch } from './log-exchange.ts'
import type { ServedStore } from './store-registry.ts'

/** Ids in one page, about. */
const PAGE_IDS = 20_000

/** Answers when nothing of what these events said is left in the log. @throws `HttpFailure` 409 */
export async function answerErase(
  { log }: ServedStore,
  epoch: string,
  { epoch: meant, ...erasure }: EraseRequest,
): Promise<Response> {
  checkEpoch(meant, epoch)
  await log.erasures.take(erasure)
  const receipt: EraseReceipt = { epoch, count: log.erasures.count }
  return Response.json(receipt)
}

export function answerErasures({ log }: ServedStore, epoch: string, after: number): Response {
  const erasures: ErasuresPage['erasures'][number][] = []
  let ids = 0
  for (const { eventIds, reason, erasedAt } of log.erasures.records.slice(after)) {
    if (ids > 0 && ids + eventIds.length > PAGE_IDS) break
    erasures.push({ eventIds, reason, erasedAt })
    ids += eventIds.length
  }
  const page: ErasuresPage = { epoch, after, count: log.erasures.count, erasures }
  return Response.json(page)
}
