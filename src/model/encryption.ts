// What an application says of encryption, and what it is told of keys.

/** What is known of an event when its key is chosen. */
export type EventToEncrypt = Readonly<{ streamName: string; type: string }>

export type EncryptionOptions = Readonly<{
  /**
   * The key that a new event is encrypted with, such as `'orders-2026'` for all, or `'customer-42'` for one subject; null
   * leaves it in clear. Another answer from now on is a rotation: what is recorded keeps its key. Asked for each event,
   * so it must be quick. A name is visible to who holds the server.
   */
  keyIdFor?: (event: EventToEncrypt) => string | null
  /**
   * Keys that the application holds itself, beside those that `store.keys.add` keeps: AES-GCM of 256 bits, to encrypt
   * and decrypt. Null for one that is not here now; after that changed, call `store.keys.refresh()`.
   */
  key?: (keyId: string) => CryptoKey | null | Promise<CryptoKey | null>
}>

/**
 * - `here`: events under it can be read.
 * - `missing`: there are events under it, which are left out of everything until it is added.
 * - `destroyed`: what it encrypted is gone for good, here.
 */
export type KeyState = 'here' | 'missing' | 'destroyed'

export type KeyStatus = Readonly<{ keyId: string; state: KeyState }>
