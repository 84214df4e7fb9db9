// Verdicts on the log: kept in the side table until the application acknowledges them.

import { textOf, utf8 } from '../../log/bytes.ts'
import type { Verdict } from '../../model/integrity-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'

const PREFIX = 'verdict/'

export function keepVerdict(storage: Pick<LogStorage, 'put'>, verdict: Verdict): Promise<void> {
  return storage.put({ [PREFIX + verdict.id]: utf8(JSON.stringify(verdict)) })
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
