// Verifies an exported log, as an import does, and says what is in it.

import { type CheckedLogFile, checkLogFile } from '../engine/backup/check-log-file.ts'
import { type Check, verifyCheckpoint } from '../integrity/verify-text.ts'
import { isStoreError } from '../log/errors.ts'
import { checkpointInWords, type Finding, type Trusted } from './verify-file.ts'

/** @throws `StoreError` `malformed-proof` for a file that is none, or is cut off */
export async function verifyLogFile(file: Blob, { keys }: Pick<Trusted, 'keys'>): Promise<Finding> {
  const checked = await readable(file)
  if ('problem' in checked) return findingOf([step('log', false, checked.problem)], [])
  const { head, report, isOfCheckpoint, isSigned, isMarked, counts } = checked
  const verdict = isSigned ? await verifyCheckpoint(head.checkpoint, { keys }) : null
  const steps = [
    step('log', report.ok, report.ok ? '' : `position ${report.at}: ${report.detail}`),
    step('checkpoint', isOfCheckpoint, rootDetail(isOfCheckpoint)),
    step('pending', isMarked, isMarked ? '' : 'the head of the file says something else than the entries'),
    ...(verdict?.checks ?? [unsigned(keys)]),
  ]
  const shows = [
    `Store ${head.storeId}, exported ${new Date(head.exportedAt).toISOString()}`,
    `${head.size} entries: ${counts.confirmed} events confirmed by a server, ${counts.pending} pending, ${counts.superseded} superseded; ${counts.erased} of them erased`,
    ...(verdict ? checkpointInWords(verdict) : []),
  ]
  return findingOf(steps, shows, verdict?.isTrusted)
}

/** Of a device that cannot sign; none of the keys that somebody trusts has signed it either. */
const unsigned = (keys: readonly string[]): Step => ({
  name: 'signature',
  outcome: keys.length > 0 ? 'fails' : 'skipped',
  detail: 'nobody has signed it',
})

async function readable(file: Blob): Promise<CheckedLogFile | Readonly<{ problem: string }>> {
  try {
    return await checkLogFile(file)
  } catch (error) {
    if (!isStoreError(error) || error.code === 'malformed-proof') throw error
    return { problem: error.message }
  }
}

type Step = Finding['steps'][number]

const step = (name: string, holds: boolean, detail: string): Step => ({
  name,
  outcome: (holds ? 'holds' : 'fails') satisfies Check['outcome'],
  detail,
})

function findingOf(steps: readonly Step[], shows: readonly string[], isTrusted = false): Finding {
  const holds = steps.every(({ outcome }) => outcome !== 'fails')
  return { kind: 'An exported log', holds, isTrusted: holds && isTrusted, steps, shows: holds ? shows : [] }
}

const rootDetail = (isOfCheckpoint: boolean): string =>
  isOfCheckpoint
    ? 'the root of the entries is that of the checkpoint'
    : 'the entries do not have the root of the checkpoint'
