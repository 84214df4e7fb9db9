// The checkpoints of a log: each is made of the log as it is, must go on from the one before, and the last is kept.

import { formatCheckpoint, formatSignedCheckpoint } from '../integrity/checkpoint.ts'
import { formatVerifierKey, type NoteSigner, verifyNote } from '../integrity/note-key.ts'
import { parseNote } from '../integrity/signed-note.ts'
import { bytesOfHex, hexOf, textOf, utf8 } from '../log/bytes.ts'
import { LogDamaged } from '../log/errors.ts'
import type { GlobalPosition, Hash } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import type { LogCheckpoint, UnsignedReason } from '../log/proofs.ts'
import type { LogStorage } from '../storage/log-storage.ts'
import { contentOf, sealedValue } from './sealed-value.ts'

/** Who signs a log's checkpoints, or why nobody does. The name of a signer's key is the log's origin. */
export type LogSigning =
  | Readonly<{ status: 'signed'; signer: NoteSigner }>
  | Readonly<{ status: 'unsigned'; origin: string; reason: UnsignedReason }>

export const nobodySigns = (storeId: string, reason: UnsignedReason = 'switched-off'): LogSigning => ({
  status: 'unsigned',
  origin: originOf(storeId),
  reason,
})

/** Of a replica's log; without the replica where it has no name that would last. */
export function originOf(storeId: string, replica?: string): string {
  const parts = ['streamdingo', storeId, ...(replica === undefined ? [] : [replica])]
  return parts.map(encodeURIComponent).join('/')
}

export type CheckpointParts = Readonly<{
  storage: Pick<LogStorage, 'get' | 'put'>
  hash: HashProvider
  head: () => GlobalPosition
  /** Merkle root over the first entries. */
  root: (size: number) => Promise<Uint8Array>
  /** Asked once, for the first checkpoint: a key may have to be fetched. */
  signing: () => Promise<LogSigning>
}>

const KEY = 'checkpoint/latest'

export class CheckpointBook {
  readonly #parts: CheckpointParts
  #signing: Promise<LogSigning> | null = null
  #latest: LogCheckpoint | null = null
  #isRestored = false
  #making: Promise<unknown> = Promise.resolve()

  constructor(parts: CheckpointParts) {
    this.#parts = parts
  }

  /** The last one that was made, by this log or by another opening of it before; null where there is none. */
  async latest(): Promise<LogCheckpoint | null> {
    if (!this.#isRestored) {
      this.#latest = await this.#restore()
      this.#isRestored = true
    }
    return this.#latest
  }

  /** Another opening of the log may have made one meanwhile, or begun anew. */
  async reread(): Promise<void> {
    await this.#making
    this.#isRestored = false
  }

  /**
   * Of all entries that the log has now.
   *
   * @param onSize called when it is settled how many those are, before anything else can be appended
   * @throws {@link LogDamaged} when they do not go on from the last one.
   */
  make(onSize: () => void = () => {}): Promise<LogCheckpoint> {
    const made = this.#making.then(() => this.#makeNext(onSize))
    // Whoever waits for it hears of a failure.
    this.#making = made.catch(() => {})
    return made
  }

  /** Whether a checkpoint bears the signature of who signs now. `unsigned` where it has none, or nobody can tell. */
  async judge(checkpoint: LogCheckpoint): Promise<'signed' | 'unsigned' | Readonly<{ problem: string }>> {
    this.#signing ??= this.#parts.signing()
    const signing = await this.#signing
    if (checkpoint.signing.status === 'unsigned' || signing.status === 'unsigned') return 'unsigned'
    const { key } = signing.signer
    if (checkpoint.signing.verifierKey !== formatVerifierKey(key)) {
      return { problem: 'the last checkpoint was signed by another key than that of this device' }
    }
    const verdict = await verifyNote(parseNote(checkpoint.text), [key])
    const said = formatCheckpoint({ ...checkpoint, root: bytesOfHex(checkpoint.rootHash) })
    const holds = verdict.ok && parseNote(checkpoint.text).text === said
    return holds ? 'signed' : { problem: 'the signature of the last checkpoint does not hold' }
  }

  /** Begins anew: the log is known not to be what it was. */
  forget(): Promise<void> {
    const forgotten = this.#making.then(async () => {
      await this.#parts.storage.put({ [KEY]: null })
      this.#latest = null
      this.#signing = null
    })
    this.#making = forgotten.catch(() => {})
    return forgotten
  }

  /** Resolves when none is being made. */
  async settled(): Promise<void> {
    await this.#making
  }

  async #makeNext(onSize: () => void): Promise<LogCheckpoint> {
    this.#signing ??= this.#parts.signing()
    const [latest, signing, size] = [await this.latest(), await this.#signing, this.#parts.head()]
    onSize()
    if (latest) await this.#checkGoesOnFrom(latest)
    const origin = signing.status === 'signed' ? signing.signer.key.name : signing.origin
    const isMade =
      latest?.size === size && latest.origin === origin && latest.signing.status === signing.status
    return isMade ? latest : this.#keep(await this.#sign(origin, size, signing))
  }

  async #checkGoesOnFrom({ size, rootHash }: LogCheckpoint): Promise<void> {
    const head = this.#parts.head()
    if (head < size) throw new LogDamaged(head + 1, `the log had ${size} entries at its last checkpoint`)
    const root = hexOf(await this.#parts.root(size))
    if (root === rootHash) return
    const problem = `its first ${size} entries have the root ${root}, and had ${rootHash} at their checkpoint`
    throw new LogDamaged(size, problem)
  }

  async #sign(origin: string, size: number, signing: LogSigning): Promise<LogCheckpoint> {
    const root = await this.#parts.root(size)
    const checkpoint = { origin, size, root }
    const text = formatCheckpoint(checkpoint)
    const about = { origin, size, rootHash: hexOf(root) as Hash }
    if (signing.status === 'unsigned') {
      return { ...about, text, signing: { status: 'unsigned', reason: signing.reason } }
    }
    const { signer } = signing
    return {
      ...about,
      text: formatSignedCheckpoint(checkpoint, [await signer.sign(text)]),
      signing: { status: 'signed', verifierKey: formatVerifierKey(signer.key) },
    }
  }

  async #keep(checkpoint: LogCheckpoint): Promise<LogCheckpoint> {
    const { storage, hash } = this.#parts
    await storage.put({ [KEY]: await sealedValue(utf8(JSON.stringify(checkpoint)), hash) })
    this.#latest = checkpoint
    return checkpoint
  }

  /** A damaged one is as none: what it said is gone, and a witness or an anchor may still know. */
  async #restore(): Promise<LogCheckpoint | null> {
    const { storage, hash } = this.#parts
    const content = await contentOf(await storage.get(KEY), hash)
    return content && JSON.parse(textOf(content))
  }
}
