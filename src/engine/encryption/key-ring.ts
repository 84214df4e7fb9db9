// Where the keys of a device are kept, and the plain form of it: in memory.

import { contentKeyFrom, keyCheckOf } from '../../integrity/content-cipher.ts'
import { isKeyId } from '../../log/encrypted-event.ts'
import { StoreError } from '../../log/errors.ts'

/** A key that is kept, or what is left of one that was destroyed. */
export type KeptKey = Readonly<{ key: CryptoKey }> | Readonly<{ destroyedAt: number }>

export interface KeyShelf {
  get(keyId: string): Promise<KeptKey | undefined>
  list(): Promise<readonly (readonly [keyId: string, kept: KeptKey])[]>
  /** Changes one key in one step: another tab may do the same. `change` is synchronous; undefined leaves it as it is. */
  update(keyId: string, change: (kept: KeptKey | undefined) => KeptKey | undefined): Promise<void>
}

/** Of one device, as long as it is not closed. */
export function createMemoryShelf(): KeyShelf {
  const keys = new Map<string, KeptKey>()
  return {
    get: async keyId => keys.get(keyId),
    list: async () => [...keys],
    async update(keyId, change) {
      const kept = change(keys.get(keyId))
      if (kept) keys.set(keyId, kept)
    },
  }
}

export type FoundKey = CryptoKey | 'missing' | 'destroyed'

export type KeyRingOptions = Readonly<{
  shelf: KeyShelf
  /** Keys of the application, asked before the shelf, but for those that were destroyed. */
  source?: ((keyId: string) => CryptoKey | null | Promise<CryptoKey | null>) | undefined
}>

/** All keys that there are here. What is not, is looked for again each time: another tab may have added it. */
export class KeyRing {
  readonly #options: KeyRingOptions
  readonly #known = new Map<string, CryptoKey | 'destroyed'>()
  /** How often it was forgotten. */
  #generation = 0

  constructor(options: KeyRingOptions) {
    this.#options = options
  }

  /** Keys that were used since it was forgotten. */
  get used(): readonly string[] {
    return [...this.#known.keys()]
  }

  /** @throws `StoreError` `invalid-argument` for a key of the application's source that is none */
  find(keyId: string): FoundKey | Promise<FoundKey> {
    return this.#known.get(keyId) ?? this.#look(keyId)
  }

  async destroyed(): Promise<readonly string[]> {
    return (await this.#options.shelf.list()).flatMap(([keyId, kept]) => ('key' in kept ? [] : [keyId]))
  }

  async kept(): Promise<readonly string[]> {
    return (await this.#options.shelf.list()).flatMap(([keyId, kept]) => ('key' in kept ? [keyId] : []))
  }

  /** Another tab may have changed them. */
  forget(): void {
    this.#generation++
    this.#known.clear()
  }

  /**
   * Keeps a key, so that no script can read it out. The same one again changes nothing.
   *
   * @throws `StoreError` `invalid-argument` for what is no key, or another one than is kept; `key-destroyed`
   */
  async add(keyId: string, given: Uint8Array<ArrayBuffer> | CryptoKey): Promise<void> {
    checkKeyId(keyId)
    const key = await contentKeyFrom(given)
    if (!key) throw noKey(keyId)
    const before = await this.#options.shelf.get(keyId)
    if (before && 'key' in before && !(await isSameKey(before.key, key))) throw isAnotherKey(keyId)
    let refusal: StoreError | null = null
    await this.#options.shelf.update(keyId, kept => {
      if (!kept) return { key }
      if ('destroyedAt' in kept) refusal = destroyedKey(keyId)
      // Added by another tab since it was compared.
      else if (!before) refusal = isAnotherKey(keyId)
      return undefined
    })
    if (refusal) throw refusal
  }

  /** Leaves a sign that it was there, so that it is not added again. */
  async destroy(keyId: string, destroyedAt: number): Promise<void> {
    checkKeyId(keyId)
    await this.#options.shelf.update(keyId, kept =>
      kept && 'destroyedAt' in kept ? undefined : { destroyedAt },
    )
    this.forget()
  }

  async #look(keyId: string): Promise<FoundKey> {
    const generation = this.#generation
    const kept = await this.#options.shelf.get(keyId)
    const found =
      kept && 'destroyedAt' in kept
        ? 'destroyed'
        : ((await this.#fromSource(keyId)) ?? kept?.key ?? 'missing')
    if (found !== 'missing' && generation === this.#generation) this.#known.set(keyId, found)
    return found
  }

  async #fromSource(keyId: string): Promise<CryptoKey | null> {
    const given = (await this.#options.source?.(keyId)) ?? null
    if (given === null) return null
    const key = given instanceof CryptoKey ? await contentKeyFrom(given) : null
    if (!key) throw noKey(keyId)
    return key
  }
}

async function isSameKey(a: CryptoKey, b: CryptoKey): Promise<boolean> {
  const [checkA, checkB] = await Promise.all([keyCheckOf(a), keyCheckOf(b)])
  return checkA.every((byte, i) => byte === checkB[i])
}

/** @throws `StoreError` `invalid-argument` */
export function checkKeyId(keyId: unknown): asserts keyId is string {
  if (isKeyId(keyId)) return
  throw new StoreError('invalid-argument', 'The name of a key must be a text of 1 to 1,024 characters', {
    keyId,
  })
}

export const missingKey = (keyId: string, facts: StoreError['facts'] = {}): StoreError =>
  new StoreError('key-missing', `The key "${keyId}" is not on this device`, { keyId, ...facts })

export const destroyedKey = (keyId: string): StoreError =>
  new StoreError('key-destroyed', `The key "${keyId}" was destroyed on this device`, { keyId })

const noKey = (keyId: string): StoreError =>
  new StoreError(
    'invalid-argument',
    `"${keyId}" must be 32 bytes, or an AES-GCM key of 256 bits to encrypt and decrypt`,
    {
      keyId,
    },
  )

const isAnotherKey = (keyId: string): StoreError =>
  new StoreError('invalid-argument', `Another key is kept as "${keyId}". Give the new one another name`, {
    keyId,
  })
