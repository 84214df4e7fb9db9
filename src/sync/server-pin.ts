// Holds the server to what it has signed: its key stays the same, and what it signs is the log that it gave out.

import { parseSignedCheckpoint } from '../integrity/checkpoint.ts'
import { parseVerifierKey, type VerifierKey, verifyNote } from '../integrity/note-key.ts'
import type { SignedNote } from '../integrity/signed-note.ts'
import { equalBytes, hexOf, textOf, utf8 } from '../log/bytes.ts'
import { isStoreError, StoreError } from '../log/errors.ts'
import type { LogStorage } from '../storage/log-storage.ts'

const KEY = 'sync/server-key'
const CHECKPOINT = 'sync/server-checkpoint'

export type SignedPage = Readonly<{
  /** Place in the server's log that the page ends at. */
  next: number
  checkpoint: string | null
  /** Of the server's checkpoints, as the server says itself; null where it does not say. */
  verifierKey: string | null
}>

export class ServerPin {
  readonly #storage: Pick<LogStorage, 'get' | 'put'>

  constructor(storage: Pick<LogStorage, 'get' | 'put'>) {
    this.#storage = storage
  }

  /**
   * To be called before a page is taken in. The first key that a server shows is its own from then on.
   *
   * @param root of the server's log behind the page, by what this replica has of it; null where it cannot tell
   * @throws `StoreError` `server-inconsistent`, with what shows it
   */
  async check({ next, checkpoint: text, verifierKey }: SignedPage, root: Uint8Array | null): Promise<void> {
    const key = text === null ? null : await this.#knownKey(verifierKey)
    if (text === null || key === null) return
    const { note, checkpoint } = await readable(async () => parseSignedCheckpoint(text))
    if ((await isSigned(note, key)) === false) {
      throw inconsistent('a checkpoint does not bear its signature', { checkpoint: text })
    }
    if (checkpoint.size !== next || root === null) return
    if (!equalBytes(checkpoint.root, root)) {
      const facts = { checkpoint: text, computedRoot: hexOf(root), before: await this.#lastCheckpoint() }
      throw inconsistent(`the log that it signed at ${next} entries is not the one that it gave out`, facts)
    }
    await this.#storage.put({ [CHECKPOINT]: utf8(text) })
  }

  /** Null where none was ever shown. */
  async #knownKey(shown: string | null): Promise<VerifierKey | null> {
    const stored = await this.#storage.get(KEY)
    const known = stored ? await parseVerifierKey(textOf(stored)) : null
    if (shown === null) return known
    const key = await readable(() => parseVerifierKey(shown))
    if (!known) await this.#storage.put({ [KEY]: utf8(shown) })
    // Its name changes with the log's epoch, which others look at.
    if (!known || equalBytes(known.publicKey, key.publicKey)) return key
    throw inconsistent('it signs with another key than before', { known: textOf(stored!), shown })
  }

  async #lastCheckpoint(): Promise<string | null> {
    const stored = await this.#storage.get(CHECKPOINT)
    return stored ? textOf(stored) : null
  }
}

/** Null where this platform has no Ed25519. */
async function isSigned(note: SignedNote, key: VerifierKey): Promise<boolean | null> {
  try {
    return (await verifyNote(note, [key])).ok
  } catch {
    return null
  }
}

async function readable<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    if (!isStoreError(error, 'malformed-proof')) throw error
    throw inconsistent(error.message, error.facts)
  }
}

const inconsistent = (problem: string, facts: StoreError['facts']): StoreError =>
  new StoreError('server-inconsistent', `The server contradicts itself: ${problem}`, facts)
