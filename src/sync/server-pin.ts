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
  /** A receipt has none: the page before it said which one. */
  isReceipt?: boolean
  /** Of the server's log up to `next`, as it says without signing it. */
  root?: Uint8Array | null
}>

export class ServerPin {
  readonly #storage: Pick<LogStorage, 'get' | 'put'>
  readonly #expected: string | undefined

  /** @param expected the server's key (vkey), where it is known beforehand: without it the first one shown counts */
  constructor(storage: Pick<LogStorage, 'get' | 'put'>, expected?: string) {
    this.#storage = storage
    this.#expected = expected
  }

  /**
   * To be called before a page is taken in. The first key that a server shows is its own from then on, unless another
   * one is expected.
   *
   * @param root of the server's log behind the page, by what this replica has of it; null where it cannot tell
   * @throws `StoreError` `server-inconsistent`, with what shows it
   */
  async check(
    { next, checkpoint: text, verifierKey, isReceipt = false }: SignedPage,
    root: Uint8Array | null,
  ): Promise<void> {
    if (this.#expected !== undefined && !isReceipt) await this.#checkExpected(verifierKey, this.#expected)
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

  /**
   * For a server that has not what it had, and does not say that its log is another one.
   *
   * @throws `StoreError` `server-inconsistent` where it had signed that
   */
  async holdTo(epoch: string, problem: string, facts: StoreError['facts']): Promise<void> {
    const before = await this.#lastCheckpoint()
    if (before === null) return
    const { checkpoint } = parseSignedCheckpoint(before)
    if (checkpoint.origin.endsWith(`/${epoch}`)) throw inconsistent(problem, { ...facts, before })
  }

  /** Before anything of the server is believed: one that signs nothing could be anybody. */
  async #checkExpected(shown: string | null, expected: string): Promise<void> {
    if (shown === null) throw inconsistent('it does not sign, and should', { expected })
    const [key, wanted] = [await readable(() => parseVerifierKey(shown)), await parseVerifierKey(expected)]
    if (!equalBytes(key.publicKey, wanted.publicKey)) {
      throw inconsistent('it signs with another key than it should', { expected, shown })
    }
  }

  /** Null where none was ever shown. */
  async #knownKey(shown: string | null): Promise<VerifierKey | null> {
    const stored = await this.#storage.get(KEY)
    const known = stored ? await parseVerifierKey(textOf(stored)) : null
    if (shown === null) return known
    const key = await readable(() => parseVerifierKey(shown))
    if (known && !equalBytes(known.publicKey, key.publicKey)) {
      throw inconsistent('it signs with another key than before', { known: textOf(stored!), shown })
    }
    // Its name changes with the log's epoch, and receipts are signed in that name, too.
    if (known?.name !== key.name) await this.#storage.put({ [KEY]: utf8(shown) })
    return key
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
