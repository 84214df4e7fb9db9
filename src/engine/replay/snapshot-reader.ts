// Reads one snapshot, and says what is wrong with it.

import { erasedSince, type FoldLog } from './fold.ts'
import { isOnEvent } from './on-event.ts'
import type { Kept } from './snapshot-key.ts'
import {
  contentFromBytes,
  type FoldSnapshot,
  faultOfSeal,
  headerFromBytes,
  type SnapshotForm,
  type SnapshotHeader,
  type SnapshotOwner,
} from './snapshot-record.ts'

export type SnapshotFault =
  /** Its bytes are not what was written, or its state does not have the hash it was stored with. */
  | 'damaged'
  /** It was written in another version of this format, or by another codec. */
  | 'other-format'
  /** It bears no seal, as none could be made when it was written, or none was wanted; or somebody wrote it from outside. */
  | 'unsealed'
  /** It does not bear this device's seal: somebody wrote it from outside, or it is of a copy of this database. */
  | 'wrong-seal'
  /** It is a snapshot of something else. */
  | 'foreign'
  /** It stands on an event that this log does not have, or has in another place. */
  | 'other-history'
  /** It stands on an event that a rebase superseded. */
  | 'superseded'
  /** Events in it were erased since. */
  | 'erased'

/** The part of the log that snapshots are held against, and kept beside. */
export type SnapshotLog = Pick<
  FoldLog,
  | 'storage'
  | 'hash'
  | 'seal'
  | 'head'
  | 'readStream'
  | 'readAll'
  | 'isEffective'
  | 'catchUp'
  | 'erasures'
  | 'order'
>

/** Its header is genuine, and of this log. Its state was not looked at. */
export type OpenedSnapshot = Readonly<{ header: SnapshotHeader; bytes: Uint8Array<ArrayBuffer> }>

export class SnapshotReader {
  readonly #log: SnapshotLog
  readonly #form: SnapshotForm

  constructor(log: SnapshotLog, form: SnapshotForm) {
    this.#log = log
    this.#form = form
  }

  async open(owner: SnapshotOwner, kept: Kept): Promise<OpenedSnapshot | SnapshotFault | 'gone'> {
    const bytes = await this.#log.storage.get(kept.key)
    if (!bytes) return 'gone'
    const header = headerFromBytes(bytes, this.#form)
    if (typeof header === 'string') return header
    return (await this.#faultOf(owner, kept, header, bytes)) ?? { header, bytes }
  }

  async contentOf({ header, bytes }: OpenedSnapshot): Promise<FoldSnapshot | SnapshotFault> {
    if (!(await isOnEvent(header, this.#log))) return 'other-history'
    const content = await contentFromBytes(bytes, header, this.#form)
    if (content === 'damaged') return content
    const { version, position, eventHash, erasures, amendedAt } = header
    const types = new Map(header.types.map(([type, last]) => [type, last]))
    return { version, position, eventHash, erasures, amendedAt, types, ...content }
  }

  async #faultOf(
    owner: SnapshotOwner,
    kept: Kept,
    header: SnapshotHeader,
    bytes: Uint8Array,
  ): Promise<SnapshotFault | null> {
    const fault = await faultOfSeal(bytes, await this.#log.seal())
    if (fault) return fault
    if (!isOf(header, owner, kept)) return 'foreign'
    // Another tab may be ahead of what this one has read of the log.
    const seen = Math.max(header.position, header.amendedAt)
    if (seen > this.#log.head()) await this.#log.catchUp()
    if (seen > this.#log.head()) return 'other-history'
    if (!this.#log.isEffective(header.position)) return 'superseded'
    return erasedSince(header.erasures, owner.streamName, this.#log) <= header.position ? 'erased' : null
  }
}

function isOf(header: SnapshotHeader, owner: SnapshotOwner, { version, position, amendedAt }: Kept): boolean {
  return (
    header.kind === owner.kind &&
    header.name === owner.name &&
    header.streamName === owner.streamName &&
    header.version === version &&
    header.position === position &&
    header.amendedAt === amendedAt
  )
}
