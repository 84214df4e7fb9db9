// Puts an exported log in the place of a log: the whole file is verified first, then copied aside, and takes the place in
// one transaction. A crash at any moment leaves what was, or what was in the file.

import { TreeBuilder } from '../../integrity/tree-builder.ts'
import type { Block, StoredBlock } from '../../log/block.ts'
import { bytesOfHex, equalBytes } from '../../log/bytes.ts'
import { KIND_EVENT } from '../../log/entry.ts'
import { isStoreError, StoreError } from '../../log/errors.ts'
import type { GlobalPosition } from '../../log/event.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { ImportProgress } from '../../model/import.ts'
import type { KeyValues, LogStorage } from '../../storage/log-storage.ts'
import { stagedKey } from '../../storage/staged-block.ts'
import { checkBlock } from '../block-store.ts'
import { ErasureList, erasureKey } from '../erasure/erasure-list.ts'
import type { ErasureRecord } from '../erasure/erasure-record.ts'
import { BEGUN, begunErasure } from '../erasure/erasures.ts'
import type { EventLog } from '../event-log.ts'
import { openLog } from '../open-log.ts'
import { readAhead } from '../read-ahead.ts'
import { type CheckedLogFile, checkLogFile } from './check-log-file.ts'
import { dropStaged, STAGED } from './staged-import.ts'

export type ImportLogOptions = Readonly<{
  /** Closed before and after. */
  storage: LogStorage
  storeId: string
  hash: HashProvider
  file: Blob
  /** What the store has goes. */
  replace: boolean
  onProgress: (progress: ImportProgress) => void
  signal: AbortSignal
}>

/** What tells of other things than the log's content, and stays. */
const KEPT = ['tabs/', 'rejection/', 'verdict/', 'quarantine/', 'sync/server-key', BEGUN]

/**
 * @throws `StoreError` `import-refused`, and nothing was written; `aborted`, before anything of the log was changed;
 * `unsupported-format`; `StorageFailed`
 */
export async function importLog(options: ImportLogOptions): Promise<void> {
  const { storage, storeId, hash, signal } = options
  if (!storage.resetToStaged) throw refused('no-device', 'This storage takes no log in: restore its database')
  const checked = await verified(options)
  const standing = await lookAt(storage, storeId)
  if (!standing.isEmpty && !options.replace) {
    const { head, pending } = standing
    throw refused('not-empty', 'The store has events. What of them is on no server would be lost', {
      head,
      pending,
    })
  }
  await storage.open()
  try {
    // Of an import that was cut off before.
    await dropStaged(storage)
    await stage(checked, options)
    const values = await valuesBeside(checked.erasures, standing.erasures, { storage, hash })
    throwIfAborted(signal)
    const { type } = await storage.resetToStaged(standing.head, STAGED, values)
    if (type === 'conflict') {
      throw refused('in-use', 'Another tab has written to the store meanwhile. Close it, and try again')
    }
  } catch (error) {
    await dropStaged(storage).catch(() => {})
    throw error
  } finally {
    await storage.close()
  }
}

async function verified({ file, storeId, onProgress, signal }: ImportLogOptions): Promise<CheckedLogFile> {
  const checked = await readable(file, {
    onProgress: ({ verified: done, total }) => onProgress({ phase: 'verifying', done, total }),
    signal,
  })
  const { head, report, isOfCheckpoint, isMarked } = checked
  if (head.storeId !== storeId) {
    const facts = { storeId, fileStoreId: head.storeId }
    throw refused('other-store', `The file is of the store "${head.storeId}"`, facts)
  }
  if (!report.ok) {
    const { at, detail, eventId } = report
    throw refused('damaged', `Position ${at} of the file does not hold: ${detail}`, { at, eventId })
  }
  if (!isOfCheckpoint)
    throw refused('damaged', 'The entries of the file do not have the root of its checkpoint')
  if (!isMarked) throw refused('damaged', 'The head of the file does not say what is pending in it')
  return checked
}

async function readable(file: Blob, options: Parameters<typeof checkLogFile>[1]): Promise<CheckedLogFile> {
  try {
    return await checkLogFile(file, options)
  } catch (error) {
    if (options?.signal?.aborted) throw aborted()
    const isOfFile = isStoreError(error, 'malformed-proof') || isStoreError(error, 'log-damaged')
    throw isOfFile ? refused('damaged', `The file cannot be read: ${error.message}`, error.facts) : error
  }
}

type Standing = Readonly<{
  /** No event is in it: what the store notes for itself alone, such as that it was emptied, is not asked about. */
  isEmpty: boolean
  head: GlobalPosition
  /** Events and amendments that the server has not confirmed; null where nobody can tell any more. */
  pending: number | null
  erasures: readonly ErasureRecord[]
}>

async function lookAt(storage: LogStorage, storeId: string): Promise<Standing> {
  try {
    const log = await openLog({ storage, storeId })
    try {
      const [head, pending, erasures] = [log.head(), log.pendingCount(), log.erasures.records]
      return { isEmpty: pending === 0 && !(await hasEvents(log)), head, pending, erasures }
    } finally {
      await log.close()
    }
  } catch (error) {
    if (!isStoreError(error, 'log-damaged')) throw error
    return lookAtDamaged(storage)
  }
}

const LOOKED_AT_BYTES = 256 * 1024

async function hasEvents(log: EventLog): Promise<boolean> {
  // Not as they are read: what is encrypted with a key that is not here is an event, too.
  let after = 0
  for (;;) {
    const { commits, next } = await log.readCommits(after, LOOKED_AT_BYTES)
    if (commits.flat().some(({ kind }) => kind === KIND_EVENT)) return true
    if (next === after) return false
    after = next
  }
}

async function lookAtDamaged(storage: LogStorage): Promise<Standing> {
  await storage.open()
  const head = await storage.head()
  await storage.close()
  return { isEmpty: false, head, pending: null, erasures: [] }
}

/** What is read a second time is held against what was verified. */
async function stage(
  { head, report, storage: source }: CheckedLogFile,
  options: ImportLogOptions,
): Promise<void> {
  const { storage, hash, onProgress, signal } = options
  const tree = new TreeBuilder(hash)
  for await (const blocks of readAhead(range => source.read(range), 1, head.size)) {
    throwIfAborted(signal)
    for (const stored of blocks) tree.add((await asVerified(stored, hash)).hashes)
    await storage.put(Object.fromEntries(blocks.map(block => [stagedKey(STAGED, block), block.bytes])))
    onProgress({ phase: 'writing', done: blocks.at(-1)?.lastPosition ?? head.size, total: head.size })
  }
  if (!report.ok || !equalBytes(tree.root(), bytesOfHex(report.rootHash))) throw changedMeanwhile()
}

async function asVerified(stored: StoredBlock, hash: HashProvider): Promise<Block> {
  try {
    return await checkBlock(stored, hash)
  } catch (error) {
    throw isStoreError(error, 'log-damaged') ? changedMeanwhile() : error
  }
}

const changedMeanwhile = (): StoreError => refused('damaged', 'The file was changed while it was read')

/** What was erased in either log is erased in the new one: what the file still says of it goes when it is opened. */
async function valuesBeside(
  inFile: readonly ErasureRecord[],
  here: readonly ErasureRecord[],
  { storage, hash }: Readonly<{ storage: LogStorage; hash: HashProvider }>,
): Promise<KeyValues> {
  const list = new ErasureList(storage, hash)
  const listed = inFile.map(async record => [erasureKey(record.number), await list.valueOf(record)] as const)
  const known = new Set(inFile.flatMap(({ eventIds }) => eventIds))
  const begun = here
    .map(record => ({ ...record, eventIds: record.eventIds.filter(eventId => !known.has(eventId)) }))
    .filter(({ eventIds }) => eventIds.length > 0)
    .map(record => begunErasure(record, hash))
  const kept = (await Promise.all(KEPT.map(prefix => storage.list(prefix)))).flat()
  return Object.fromEntries([...kept, ...(await Promise.all([...listed, ...begun]))])
}

function throwIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw aborted()
}

const aborted = (): StoreError => new StoreError('aborted', 'The import was aborted')

export type ImportProblem = 'damaged' | 'other-store' | 'not-empty' | 'in-use' | 'no-device'

const refused = (problem: ImportProblem, message: string, facts: StoreError['facts'] = {}): StoreError =>
  new StoreError('import-refused', message, { ...facts, problem })
