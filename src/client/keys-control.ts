// What a page may ask of the keys of its store, and have done with them.

import type { KeyStatus } from '../model/encryption.ts'
import type { WorkerLink } from './worker-link.ts'

export interface KeysControl {
  /**
   * Keeps a key on this device, for all tabs of the store, so that no script can read it out again: 32 bytes, or a
   * `CryptoKey` for AES-GCM of 256 bits. Events under it that were left out so far are read and folded from then on. The
   * same key again changes nothing. Reads the whole log where events under it were left out.
   *
   * @throws `StoreError` `key-destroyed`; `invalid-argument` for what is no such key, or another one than is kept under
   * this name
   */
  add(keyId: string, key: Uint8Array<ArrayBuffer> | CryptoKey): Promise<void>

  /**
   * Destroys a key on this device, for good. When it resolves, what it encrypted is gone from here: events under it are
   * treated as erased, and snapshots, rows of read models and what is in memory are made without them; other tabs follow as
   * soon as they hear of it. Other devices keep their keys until they destroy them, too. Reads the whole log.
   */
  destroy(keyId: string): Promise<void>

  /** All keys that are kept or were destroyed here, and those that events were left out for want of. */
  list(): Promise<readonly KeyStatus[]>

  /** Asks the application's own `encryption.key` again: a key came or went. Not needed for those that are added here. */
  refresh(): Promise<void>
}

export function keysControlOf(link: WorkerLink): KeysControl {
  return {
    add: (keyId, key) => link.call(worker => worker.addKey(keyId, key)),
    destroy: keyId => link.call(worker => worker.destroyKey(keyId)),
    list: () => link.call(worker => worker.listKeys()),
    refresh: () => link.call(worker => worker.refreshKeys()),
  }
}
