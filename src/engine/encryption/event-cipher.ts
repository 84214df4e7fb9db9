// Encrypts what is to be appended, and opens what was: content of events, and commands that are kept beside commits.

import { openContent, sealContent } from '../../integrity/content-cipher.ts'
import { textOf, utf8 } from '../../log/bytes.ts'
import type { CommitNote } from '../../log/commit-note.ts'
import {
  commandAad,
  contentAad,
  encryptedMetadata,
  encryptedPayload,
  keyIdIn,
  plaintextOf,
  sealedParts,
} from '../../log/encrypted-event.ts'
import { InvalidEvent, StoreError } from '../../log/errors.ts'
import { type EventBatch, idOf, MAX_EVENT_BYTES, metadataOf, payloadOf } from '../../log/event-batch.ts'
import { eventIdOf } from '../../log/event-id.ts'
import { jsonColumnOfValues } from '../../log/json-column.ts'
import type { EncryptionOptions } from '../../model/encryption.ts'
import { checkKeyId, destroyedKey, type FoundKey, type KeyRing, missingKey } from './key-ring.ts'

/** What is needed of an entry to open it. */
export type SealedEvent = Readonly<{
  streamName: string
  eventId: Uint8Array
  type: string
  schemaVersion: number
  payload: Uint8Array
  /** As it was stored, parsed. */
  metadata: unknown
}>

/**
 * The plaintext of an event, or why there is none: its key is missing, or was destroyed, or it is not what was encrypted.
 */
export type Opened =
  | Readonly<{ state: 'open'; plaintext: Uint8Array<ArrayBuffer> }>
  | Readonly<{ state: 'missing' | 'destroyed'; keyId: string }>
  | Readonly<{ state: 'failed'; error: StoreError }>

/** A command as it was wished. */
export type CommandWish = Readonly<{ decider: string; id: string; command: unknown }>

type EncryptedCommand = Extract<CommitNote, { encryptedCommand: unknown }>

export type EventCipherParts = Readonly<{
  storeId: string
  ring: KeyRing
  keyIdFor: EncryptionOptions['keyIdFor']
}>

export class EventCipher {
  readonly ring: KeyRing
  readonly #storeId: string
  readonly #keyIdFor: EncryptionOptions['keyIdFor']

  constructor({ storeId, ring, keyIdFor }: EventCipherParts) {
    this.ring = ring
    this.#storeId = storeId
    this.#keyIdFor = keyIdFor
  }

  /** False where everything is appended in clear. */
  get encrypts(): boolean {
    return this.#keyIdFor !== undefined
  }

  /**
   * The batch as it is to be stored: the same one where nothing of it is encrypted.
   *
   * @throws `StoreError` `key-missing`, `key-destroyed`; `InvalidEvent` for an event that is too large once it is
   * encrypted; `invalid-argument` for a name that is none
   */
  encrypt(streamName: string, batch: EventBatch): EventBatch | Promise<EventBatch> {
    const keyIds = this.#keyIdFor ? this.#keyIdsOf(streamName, batch) : null
    return keyIds ? this.#encryptBatch(streamName, batch, keyIds) : batch
  }

  /** One for each type of the batch; null where all is in clear. */
  #keyIdsOf(streamName: string, { types, typeOf }: EventBatch): readonly (string | null)[] | null {
    const keyIds: (string | null)[] = new Array(types.length).fill(null)
    const used = new Set(typeOf)
    for (const index of used) {
      const keyId = this.#keyIdFor!({ streamName, type: types[index]!.type })
      if (keyId !== null) checkKeyId(keyId)
      keyIds[index] = keyId
    }
    return keyIds.some(keyId => keyId !== null) ? keyIds : null
  }

  async #encryptBatch(
    streamName: string,
    batch: EventBatch,
    keyIds: readonly (string | null)[],
  ): Promise<EventBatch> {
    const keys = new Map<string, CryptoKey>()
    for (const keyId of keyIds)
      if (keyId !== null && !keys.has(keyId)) keys.set(keyId, await this.#keyToWrite(keyId))
    const payloads: (Uint8Array | Promise<Uint8Array>)[] = []
    const metadata: Uint8Array[] = []
    for (let i = 0; i < batch.count; i++) {
      const keyId = keyIds[batch.typeOf[i]!]!
      payloads.push(
        keyId === null ? payloadOf(batch, i) : this.#encryptEvent(streamName, batch, i, keys.get(keyId)!),
      )
      metadata.push(keyId === null ? metadataOf(batch, i) : encryptedMetadata(keyId))
    }
    const stored = await Promise.all(payloads)
    for (const [i, payload] of stored.entries()) checkStoredSize(payload.length + metadata[i]!.length, i)
    return { ...batch, payloads: jsonColumnOfValues(stored), metadata: jsonColumnOfValues(metadata) }
  }

  async #encryptEvent(streamName: string, batch: EventBatch, i: number, key: CryptoKey): Promise<Uint8Array> {
    const { type, schemaVersion } = batch.types[batch.typeOf[i]!]!
    const place = { storeId: this.#storeId, streamName, eventId: idOf(batch, i), type, schemaVersion }
    const plaintext = plaintextOf(payloadOf(batch, i), metadataOf(batch, i))
    const { iv, sealed } = await sealContent(key, plaintext, contentAad(place))
    return encryptedPayload(iv, sealed)
  }

  async #keyToWrite(keyId: string): Promise<CryptoKey> {
    const key = await this.ring.find(keyId)
    if (key === 'missing') throw missingKey(keyId)
    if (key === 'destroyed') throw destroyedKey(keyId)
    return key
  }

  /** The plaintext of an event, by the key that its metadata name. */
  async open(event: SealedEvent): Promise<Opened> {
    const keyId = keyIdIn(event.metadata)
    if (keyId === null) return this.#failed(event, null, 'it is encrypted in a way that is not known here')
    const found = await this.ring.find(keyId)
    return typeof found === 'string' ? { state: found, keyId } : this.openWith(found, keyId, event)
  }

  /** As {@link open}, with a key that was found before. */
  async openWith(key: Exclude<FoundKey, string>, keyId: string, event: SealedEvent): Promise<Opened> {
    const parts = sealedParts(event.payload)
    if (!parts) return this.#failed(event, keyId, 'its payload is no ciphertext')
    const plaintext = await openContent(key, parts, contentAad({ ...event, storeId: this.#storeId }))
    if (plaintext) return { state: 'open', plaintext }
    return this.#failed(event, keyId, 'it is not what was encrypted with this key, for this place')
  }

  #failed({ eventId, streamName, type }: SealedEvent, keyId: string | null, problem: string): Opened {
    const facts = { eventId: eventIdOf(eventId), streamName, type, keyId, problem }
    const error = new StoreError(
      'decryption-failed',
      `Event ${facts.eventId} cannot be decrypted: ${problem}`,
      facts,
    )
    return { state: 'failed', error }
  }

  /** The note of a command whose events are in a batch as it is stored: encrypted with the key of the first that is. */
  async noteOf(wish: CommandWish, streamName: string, batch: EventBatch): Promise<CommitNote> {
    const keyId = this.encrypts ? firstKeyIdIn(batch) : null
    if (keyId === null) return { command: wish }
    const { decider, id, command } = wish
    const key = await this.#keyToWrite(keyId)
    const place = { storeId: this.#storeId, streamName, eventId: idOf(batch, 0) }
    const { iv, sealed } = await sealContent(key, utf8(JSON.stringify(command)), commandAad(place))
    const encrypted = JSON.parse(textOf(encryptedPayload(iv, sealed))) as string
    return { encryptedCommand: { decider, id, keyId, command: encrypted } }
  }

  /**
   * The command that a note was made of, null for one that cannot be read any more.
   *
   * @throws `StoreError` `key-missing`
   */
  async commandOf(
    { encryptedCommand }: EncryptedCommand,
    place: Readonly<{ streamName: string; eventId: Uint8Array }>,
  ): Promise<CommandWish | null> {
    const { decider, id, keyId, command } = encryptedCommand
    const key = await this.ring.find(keyId)
    if (key === 'missing') throw missingKey(keyId)
    const parts = sealedParts(utf8(JSON.stringify(command)))
    if (key === 'destroyed' || !parts) return null
    const plaintext = await openContent(key, parts, commandAad({ ...place, storeId: this.#storeId }))
    return plaintext && { decider, id, command: JSON.parse(textOf(plaintext)) }
  }
}

function firstKeyIdIn(batch: EventBatch): string | null {
  for (let i = 0; i < batch.count; i++) {
    const keyId = keyIdIn(JSON.parse(textOf(metadataOf(batch, i))))
    if (keyId !== null) return keyId
  }
  return null
}

function checkStoredSize(size: number, i: number): void {
  if (size <= MAX_EVENT_BYTES) return
  throw new InvalidEvent(
    `events[${i}]`,
    `${size} bytes once it is encrypted, over the limit of ${MAX_EVENT_BYTES}`,
  )
}
