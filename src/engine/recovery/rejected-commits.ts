// Pending commits that a log which is begun anew does not take over, as the application is told of them.

import { KIND_AMENDMENT } from '../../log/entry.ts'
import type { StreamVersion } from '../../log/event.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { HashChain } from '../../log/hash-chain.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { Rejection } from '../../model/sync-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { amendmentIn } from '../amendments/read-amendments.ts'
import { READ_BYTES } from '../read-ahead.ts'
import { rejectionOf } from '../rejections.ts'
import { inspectBlock } from './inspect-block.ts'
import type { SalvagedCommit, SetAsideCommit } from './salvage.ts'

type Reason = SetAsideCommit['why'] | 'loose-amendment'

const REASONS: Readonly<Record<Reason, Rejection['reason']>> = {
  'in-part': {
    code: 'log-damaged',
    message:
      'The log was begun anew, and of what was appended together with this, something is or may be lost',
  },
  'taken-up-again': {
    code: 'log-damaged',
    message: 'The log was begun anew, and what took this up again behind events of the server is lost',
  },
  'loose-amendment': {
    code: 'unknown-event',
    message: 'The log was begun anew, and events that this names come again from the server only now',
  },
}

/** @param storage of the log as it was */
export async function rejectionsOf(
  commits: readonly (SalvagedCommit & Readonly<{ why: Reason }>)[],
  storage: Pick<LogStorage, 'head' | 'read'>,
  hash: HashProvider,
): Promise<Rejection[]> {
  const amendments = commits.flatMap(({ entries }) => entries).filter(({ kind }) => kind === KIND_AMENDMENT)
  const idOf = await readIds(new Set(amendments.map(({ streamName }) => streamName)), storage, hash)
  const rejectedAt = Date.now()
  return Promise.all(
    commits.map(async commit => {
      const amendment = await amendmentIn(commit.entries, idOf)
      return rejectionOf(commit, { amendment, reason: REASONS[commit.why], rejectedAt })
    }),
  )
}

/** Of what counts last at each version, by which an amendment at the end of the log names it. */
async function readIds(
  streamNames: ReadonlySet<string>,
  storage: Pick<LogStorage, 'head' | 'read'>,
  hash: HashProvider,
) {
  const ids = new Map<string, Map<StreamVersion, string>>()
  for (const streamName of streamNames) ids.set(streamName, new Map())
  const head = streamNames.size === 0 ? 0 : await storage.head()
  for (let next = 1; next <= head; ) {
    const stored = await storage.read({ from: next, maxBytes: READ_BYTES })
    if (stored.length === 0) break
    for (const one of stored) {
      const { block } = await inspectBlock(one, { chain: new HashChain(hash), hash })
      for (let i = 0; block && i < block.count; i++) {
        ids.get(block.streamNameOf(i))?.set(block.versions[i]!, eventIdOf(block.idOf(i)))
      }
    }
    next = stored.at(-1)!.lastPosition + 1
  }
  return async (streamName: string, version: StreamVersion) => ids.get(streamName)!.get(version) ?? UNREADABLE
}

/** No event has it. */
const UNREADABLE = '00000000-0000-0000-0000-000000000000'
