// Merges small blocks into full ones: many small appends leave many small blocks. Entries are taken over to the byte.

import { type Block, decodeBlock, type StoredBlock } from '../log/block.ts'
import { BLOCK_TARGET_BYTES } from '../log/block-writer.ts'
import { textOf, utf8 } from '../log/bytes.ts'
import { isStoreError } from '../log/errors.ts'
import type { GlobalPosition } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { checkBlock } from './block-store.ts'
import { mergeBlocks, type SizedBlock } from './merge-blocks.ts'

/** Read, merged and written at once: an append waits for no more than the transaction of one step. */
const STEP_BYTES = 256 * 1024
/** Any two blocks under this fit into one, so a run of them becomes at most about half as many. */
const SMALL_BYTES = BLOCK_TARGET_BYTES / 2
/** Fewer small blocks in a row are left alone: each merge writes a block anew that may soon be merged again. */
const MIN_RUN = 8

/** Up to here all is merged that will ever be: a hint, so that no round reads the whole log. */
const THROUGH_KEY = 'compaction/through'

/** A storage that keeps blocks. */
export type BlockStorage = LogStorage & Required<Pick<LogStorage, 'replace'>>

export type CompactionParts = Readonly<{
  storage: BlockStorage
  hash: HashProvider
  /** Told of each block that stands in the place of others now. */
  onMerged: (block: Block, bytes: number) => void
  /** Told of a block that does not match its digest, and so is left as it is. */
  onDamaged: (error: Error) => void
}>

export function keepsBlocks(storage: LogStorage): storage is BlockStorage {
  return storage.replace !== undefined
}

/**
 * One round: merges what was appended since the last one, step by step, and lets others go first between the steps.
 * Ends early when the signal aborts, or when somebody else merges, too.
 *
 * @throws `StorageFailed`
 */
export async function compactLog(parts: CompactionParts, signal: AbortSignal): Promise<void> {
  const begun = await readThrough(parts.storage)
  let through = begun
  let isOver = false
  while (!isOver && !signal.aborted) {
    const step = await compactStep(through, parts, signal)
    through = Math.max(through, step.through)
    isOver = step.isLast
    if (!isOver) await nextTask()
  }
  if (through > begun) await parts.storage.put({ [THROUGH_KEY]: utf8(String(through)) })
}

type Step = Readonly<{
  /** What ends up to here needs no second look. */
  through: GlobalPosition
  isLast: boolean
}>

async function compactStep(
  through: GlobalPosition,
  parts: CompactionParts,
  signal: AbortSignal,
): Promise<Step> {
  const stored = await parts.storage.read({ from: through + 1, maxBytes: STEP_BYTES })
  const last = stored.at(-1)
  if (!last) return { through, isLast: true }
  const isLast = stored.reduce((sum, block) => sum + block.bytes.length, 0) < STEP_BYTES
  let open = last.lastPosition + 1
  for (const run of smallRuns(stored)) {
    // What comes next may still join the last run; a run with a larger block behind it is done.
    const isOpen = run.at(-1) === last
    const rest = await compactRun(run, { goesOn: isOpen && !isLast, signal }, parts)
    if (rest === null) return { through, isLast: true }
    if (isOpen) open = rest
  }
  return { through: open - 1, isLast }
}

/** Runs of adjacent small blocks. */
function smallRuns(stored: readonly StoredBlock[]): StoredBlock[][] {
  const runs: StoredBlock[][] = []
  let run: StoredBlock[] = []
  for (const block of stored) {
    const isNext = run.length === 0 || block.firstPosition === run.at(-1)!.lastPosition + 1
    const isSmall = block.bytes.length < SMALL_BYTES
    if (run.length > 0 && !(isNext && isSmall)) {
      runs.push(run)
      run = []
    }
    if (isSmall) run.push(block)
  }
  if (run.length > 0) runs.push(run)
  return runs
}

type RunOptions = Readonly<{
  /** The next step reads more of the run. */
  goesOn: boolean
  signal: AbortSignal
}>

/** Returns from where on blocks may still be merged with what follows; null when the round is over. */
async function compactRun(
  run: readonly StoredBlock[],
  { goesOn, signal }: RunOptions,
  parts: CompactionParts,
): Promise<GlobalPosition | null> {
  let open: GlobalPosition | null = run[0]!.firstPosition
  if (run.length < MIN_RUN) return open
  const sound = await soundParts(run, parts)
  for (const part of sound) {
    open = await mergePart(part, { goesOn: goesOn && part === sound.at(-1), signal }, parts)
    if (open === null) return null
  }
  return open
}

type SoundPart = Readonly<{ begins: GlobalPosition; sources: SourceBlock[] }>
type SourceBlock = SizedBlock & Readonly<{ stored: StoredBlock }>

/** The run as it is between damaged blocks. What is behind the last one is a part, however short. */
async function soundParts(
  run: readonly StoredBlock[],
  { hash, onDamaged }: CompactionParts,
): Promise<SoundPart[]> {
  const checked = await Promise.allSettled(run.map(stored => checkBlock(stored, hash)))
  const sound: SoundPart[] = [{ begins: run[0]!.firstPosition, sources: [] }]
  for (const [i, check] of checked.entries()) {
    const stored = run[i]!
    const { bytes, lastPosition } = stored
    if (check.status === 'fulfilled') {
      sound.at(-1)!.sources.push({ block: check.value, bytes: bytes.length, stored })
      continue
    }
    if (!isStoreError(check.reason)) throw check.reason
    onDamaged(check.reason)
    sound.push({ begins: lastPosition + 1, sources: [] })
  }
  return sound
}

/** As {@link compactRun}. */
async function mergePart(
  { begins, sources }: SoundPart,
  { goesOn, signal }: RunOptions,
  { storage, hash, onMerged }: CompactionParts,
): Promise<GlobalPosition | null> {
  if (sources.length < MIN_RUN) return begins
  const before = sources.map(({ stored }) => stored)
  const merged = await mergeBlocks(sources, hash)
  // Long names and large notes may need as much room in a merged block: then there is nothing to gain.
  if (merged.length * 2 > sources.length) return before.at(-1)!.lastPosition + 1
  // The last block is not full: with what the next step reads, it will be.
  const rest = goesOn && merged.length > 1 ? merged.pop() : undefined
  const last = merged.at(-1)!
  if (signal.aborted) return null
  const outcome = await storage.replace(
    before.filter(({ lastPosition }) => lastPosition <= last.lastPosition),
    merged,
  )
  if (outcome.type === 'conflict') return null
  for (const { bytes, firstPosition } of merged) onMerged(decodeBlock(bytes, firstPosition), bytes.length)
  return (rest ?? last).firstPosition
}

async function readThrough(storage: LogStorage): Promise<GlobalPosition> {
  const bytes = await storage.get(THROUGH_KEY)
  const through = bytes ? Number(textOf(bytes)) : 0
  return Number.isSafeInteger(through) ? through : 0
}

function nextTask(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 0))
}
