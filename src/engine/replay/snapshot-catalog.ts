// Which snapshots there are, by their keys: read once for each projection, or for each document of one that has many.

import type { LogStorage } from '../../storage/log-storage.ts'
import { familyPrefixOf, type Kept, prefixOf, readKey } from './snapshot-key.ts'
import type { SnapshotOwner } from './snapshot-record.ts'

/** Of a projection with up to so many snapshots all are known: documents that have none are not looked up. */
const MAX_KNOWN = 25_000
/** The most that IndexedDB can be asked for. */
const ALL = 0xffff_ffff

export class SnapshotCatalog {
  readonly #storage: Pick<LogStorage, 'keys'>
  /** By prefix of the owner, in order of position. */
  readonly #kept = new Map<string, readonly Kept[]>()
  /** By prefix of the projection: whether all that it had are known. */
  readonly #families = new Map<string, Promise<boolean>>()

  constructor(storage: Pick<LogStorage, 'keys'>) {
    this.#storage = storage
  }

  /** Reads what is not known yet. What another tab wrote since is not seen: that costs a longer fold. */
  async read(owner: SnapshotOwner): Promise<void> {
    const prefix = prefixOf(owner)
    const family = familyPrefixOf(owner)
    if (!this.#families.has(family)) this.#families.set(family, this.#readFamily(family))
    const isAllKnown = await this.#families.get(family)!
    if (!isAllKnown && !this.#kept.has(prefix)) this.#take(await this.#storage.keys(prefix, ALL), prefix)
  }

  /** Those that were read, saved or both. */
  known(prefix: string): readonly Kept[] {
    return this.#kept.get(prefix) ?? []
  }

  add(prefix: string, kept: Kept): void {
    const others = this.known(prefix).filter(one => !isSamePlace(one, kept))
    this.#kept.set(
      prefix,
      [...others, kept].sort((a, b) => a.position - b.position),
    )
  }

  remove(prefix: string, kept: Kept): void {
    this.#kept.set(
      prefix,
      this.known(prefix).filter(one => one !== kept),
    )
  }

  forgetFamily(family: string): void {
    for (const prefix of [...this.#kept.keys()]) if (prefix.startsWith(family)) this.#kept.delete(prefix)
    this.#families.delete(family)
  }

  forget(): void {
    this.#kept.clear()
    this.#families.clear()
  }

  async #readFamily(family: string): Promise<boolean> {
    try {
      const keys = await this.#storage.keys(family, MAX_KNOWN + 1)
      if (keys.length > MAX_KNOWN) return false
      this.#take(keys)
      return true
    } catch (error) {
      this.#families.delete(family)
      throw error
    }
  }

  /** What was saved meanwhile is known already. */
  #take(keys: readonly string[], prefix?: string): void {
    if (prefix !== undefined && !this.#kept.has(prefix)) this.#kept.set(prefix, [])
    for (const key of keys) {
      const kept = readKey(key)
      if (!kept) continue
      const isKnown = this.known(kept.prefix).some(one => one.key === key || isSamePlace(one, kept))
      if (!isKnown) this.add(kept.prefix, kept)
    }
  }
}

type PlaceOfKept = Pick<Kept, 'position' | 'version' | 'amendedAt' | 'codeId'>

export function isSamePlace(a: PlaceOfKept, b: PlaceOfKept): boolean {
  return (
    a.position === b.position &&
    a.version === b.version &&
    a.amendedAt === b.amendedAt &&
    a.codeId === b.codeId
  )
}
