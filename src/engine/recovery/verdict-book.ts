// Verdicts on the log: kept in the side table until the application acknowledges them.

import { textOf, utf8 } from '../../log/bytes.ts'
import { SYSTEM_STREAM_PREFIX } from '../../log/event.ts'
import type { Verdict } from '../../model/integrity-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import type { SystemEntry } from '../draft.ts'
import type { Job } from '../writer.ts'

const PREFIX = 'verdict/'
const STREAM = `${SYSTEM_STREAM_PREFIX}integrity`
const TYPE = 'verdict-reached'

/** Written with an entry of the log. */
export function verdictJob(verdict: Verdict): Job<void> {
  return {
    isAlone: false,
    async plan(draft) {
      await draft.addSystemEntry(verdictEntry(verdict))
      draft.addValue(...keptVerdict(verdict))
    },
  }
}

/** It stays when the verdict is acknowledged. */
export const verdictEntry = (verdict: Verdict): SystemEntry => ({
  streamName: STREAM,
  type: TYPE,
  payload: bytesOf(verdict),
  recordedAt: verdict.foundAt,
})

/** As it stands in the side table until then. */
export const keptVerdict = (verdict: Verdict): readonly [key: string, value: Uint8Array<ArrayBuffer>] => [
  PREFIX + verdict.id,
  bytesOf(verdict),
]

/** Without an entry: for a log whose last one cannot be read. */
export function keepVerdict(storage: Pick<LogStorage, 'put'>, verdict: Verdict): Promise<void> {
  return storage.put(Object.fromEntries([keptVerdict(verdict)]))
}

/** Oldest first. */
export async function readVerdicts(storage: Pick<LogStorage, 'list'>): Promise<Verdict[]> {
  const rows = await storage.list(PREFIX)
  const verdicts = rows.map(([, bytes]) => JSON.parse(textOf(bytes)) as Verdict)
  return verdicts.sort((a, b) => a.foundAt - b.foundAt)
}

export function dropVerdict(storage: Pick<LogStorage, 'put'>, id: string): Promise<void> {
  return storage.put({ [PREFIX + id]: null })
}

const bytesOf = (verdict: Verdict): Uint8Array<ArrayBuffer> => utf8(JSON.stringify(verdict))
