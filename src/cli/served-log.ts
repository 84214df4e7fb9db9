// Verifies a whole log that is served in tiles (c2sp.org/tlog-tiles): every entry is fetched, hashed, followed in its
// stream, and the tree over all of them is held against the signed checkpoint.

import { type Checkpoint, parseSignedCheckpoint } from '../integrity/checkpoint.ts'
import { TILE_LEAVES } from '../integrity/merkle-tree.ts'
import { readEntry } from '../integrity/opened-entry.ts'
import { formatTilePath } from '../integrity/tile-path.ts'
import { TreeBuilder } from '../integrity/tree-builder.ts'
import { verifyCheckpoint } from '../integrity/verify-text.ts'
import { ByteReader, equalBytes, hexOf, MalformedBytes } from '../log/bytes.ts'
import { isStoreError } from '../log/errors.ts'
import { leafHashOf } from '../log/hash-chain.ts'
import { HASH_BYTES, type HashProvider } from '../log/hash-provider.ts'
import { createSha256 } from '../log/sha256/create-sha256.ts'
import { checkpointInWords, type Finding } from './verify-file.ts'

export type ServedLogOptions = Readonly<{
  keys: readonly string[]
  /** A checkpoint of before, as text. */
  before: string | null
  token: string | null
}>

/** The server, or the network in between. */
export class CannotFetch extends Error {
  override readonly name = 'CannotFetch'
}

const AT_ONCE = 4
const MAX_NOTE_BYTES = 64 * 1024
/** 256 entries of 64 KiB, and their lengths. */
const MAX_BUNDLE_BYTES = TILE_LEAVES * (64 * 1024 + 2)

type Step = Finding['steps'][number]

/** @throws {@link CannotFetch}; `StoreError` `malformed-proof` for keys or an old checkpoint that are none */
export async function verifyServedLog(url: string, options: ServedLogOptions): Promise<Finding> {
  const prefix = url.replace(/\/+$/, '')
  const note = await fetchBytes(`${prefix}/checkpoint`, MAX_NOTE_BYTES, options)
  const text = new TextDecoder().decode(note)
  const verdict = await verifyCheckpoint(text, options)
  const kind = 'A served log'
  if (!verdict.checkpoint) return { kind, holds: false, isTrusted: false, steps: verdict.checks, shows: [] }
  const { size, rootHash } = verdict.checkpoint
  const before = options.before === null ? null : parseSignedCheckpoint(options.before).checkpoint
  const reader = new LogReader(await createSha256(), before?.size ?? null)
  const failure = await readAll(prefix, size, reader, options)
  const steps: Step[] = [...verdict.checks, stepOf('entries', failure, `${size} entries, each with its hash`)]
  if (!failure) {
    const root = hexOf(reader.root())
    const problem =
      root === rootHash ? null : `the entries have the root ${root}, the checkpoint says ${rootHash}`
    steps.push(stepOf('tree', problem, 'the entries have the root of the checkpoint'))
    if (before) steps.push(compareWith(before, verdict.checkpoint.origin, reader))
  }
  const holds = steps.every(({ outcome }) => outcome !== 'fails')
  const shows = holds ? checkpointInWords(verdict) : []
  return { kind, holds, isTrusted: holds && verdict.isTrusted, steps, shows }
}

const stepOf = (name: string, problem: string | null, detail: string): Step => ({
  name,
  outcome: problem === null ? 'holds' : 'fails',
  detail: problem ?? detail,
})

function compareWith(old: Checkpoint, origin: string, reader: LogReader): Step {
  return stepOf(
    'old checkpoint',
    problemWith(old, origin, reader),
    `it goes on from its first ${old.size} entries`,
  )
}

function problemWith(old: Checkpoint, origin: string, { rootBefore }: LogReader): string | null {
  if (old.origin !== origin) return `the old checkpoint is of another log, ${old.origin}`
  if (!rootBefore) return `the log is shorter than the ${old.size} entries of the old checkpoint`
  return equalBytes(rootBefore, old.root)
    ? null
    : `the first ${old.size} entries are not those of the old checkpoint`
}

/** What does not hold, in words; null if all does. */
async function readAll(
  prefix: string,
  size: number,
  reader: LogReader,
  options: ServedLogOptions,
): Promise<string | null> {
  const tiles = Math.ceil(size / TILE_LEAVES)
  const fetchTile = async (index: number) => {
    const width = Math.min(TILE_LEAVES, size - index * TILE_LEAVES)
    const path = (level: 0 | 'entries') => `${prefix}/${formatTilePath({ level, index, width })}`
    return Promise.all([
      fetchBytes(path(0), TILE_LEAVES * HASH_BYTES, options),
      fetchBytes(path('entries'), MAX_BUNDLE_BYTES, options),
    ])
  }
  for (let first = 0; first < tiles; first += AT_ONCE) {
    const indexes = Array.from({ length: Math.min(AT_ONCE, tiles - first) }, (_, i) => first + i)
    for (const [hashes, bundle] of await Promise.all(indexes.map(fetchTile))) {
      const problem = reader.take(hashes, bundle)
      if (problem) return problem
    }
  }
  return reader.size === size ? null : `there are ${reader.size} entries, where the checkpoint says ${size}`
}

class LogReader {
  /** Root of as many entries as the old checkpoint has; null until there are so many. */
  rootBefore: Uint8Array | null = null
  readonly #hash: HashProvider
  readonly #tree: TreeBuilder
  readonly #oldSize: number | null
  /** Version and hash of the last entry of each stream. */
  readonly #heads = new Map<string, Readonly<{ version: number; hash: string }>>()

  constructor(hash: HashProvider, oldSize: number | null) {
    this.#hash = hash
    this.#tree = new TreeBuilder(hash)
    this.#oldSize = oldSize
    if (oldSize === 0) this.rootBefore = this.#tree.root()
  }

  get size(): number {
    return this.#tree.size
  }

  root(): Uint8Array {
    return this.#tree.root()
  }

  take(hashes: Uint8Array, bundle: Uint8Array): string | null {
    try {
      const reader = new ByteReader(bundle)
      const first = this.size
      while (reader.remaining > 0) {
        const at = (this.size - first) * HASH_BYTES
        const problem = this.#add(reader.raw(reader.u16()), hashes.subarray(at, at + HASH_BYTES))
        if (problem) return problem
      }
      const isWhole = (this.size - first) * HASH_BYTES === hashes.length
      return isWhole ? null : `a tile has other entries than hashes, behind entry ${first}`
    } catch (error) {
      if (!(error instanceof MalformedBytes) && !isStoreError(error, 'malformed-proof')) throw error
      return `entry ${this.size + 1} cannot be read: ${error.message}`
    }
  }

  #add(entry: Uint8Array, hash: Uint8Array): string | null {
    const number = this.size + 1
    const leaf = leafHashOf(entry, this.#hash)
    if (!equalBytes(leaf, hash)) return `entry ${number} does not have the hash that is given for it`
    const { streamName, streamVersion, previousHash } = readEntry(entry, this.#hash)
    const head = this.#heads.get(streamName)
    if (streamVersion !== (head?.version ?? 0) + 1 || (head && head.hash !== previousHash)) {
      return `entry ${number} does not follow the one before it in stream “${streamName}”`
    }
    this.#heads.set(streamName, { version: streamVersion, hash: hexOf(leaf) })
    this.#tree.add(leaf)
    if (this.size === this.#oldSize) this.rootBefore = this.#tree.root()
    return null
  }
}

async function fetchBytes(url: string, maxBytes: number, { token }: ServedLogOptions): Promise<Uint8Array> {
  const headers = token === null ? {} : { authorization: `Bearer ${token}` }
  try {
    const response = await fetch(url, { headers, redirect: 'error' })
    if (!response.ok) throw new CannotFetch(`${url} answers with status ${response.status}`)
    return await readAtMost(response, maxBytes)
  } catch (error) {
    if (error instanceof CannotFetch) throw error
    const { cause, message } = error as Error
    throw new CannotFetch(`${url}: ${cause instanceof Error ? cause.message : message}`)
  }
}

async function readAtMost(response: Response, maxBytes: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    length += chunk.length
    if (length > maxBytes) throw new CannotFetch(`${response.url} sends more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
