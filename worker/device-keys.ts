// Who this device is in a store: the keys that sign its checkpoints and seal its snapshots. Made once, kept in IndexedDB
// as keys that no script can read out.

import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import { type LogSigning, nobodySigns, originOf } from '../src/engine/checkpoint-book.ts'
import { generateKeyPair, type KeyPair } from '../src/integrity/ed25519.ts'
import { createNoteSigner } from '../src/integrity/note-key.ts'
import { createStateSeal, generateSealKey, type StateSeal } from '../src/integrity/state-seal.ts'
import { newEventId } from '../src/log/event-id.ts'
import type { UnsignedReason } from '../src/log/proofs.ts'

/** One for all stores of an origin, so that it stays when the database of a store is deleted. */
const DATABASE = 'streamdingo-devices'

type Device = Readonly<{ deviceId: string; signing: KeyPair; sealKey: CryptoKey }>

interface DeviceSchema extends DBSchema {
  /** By the place of the store's storage. */
  devices: { key: string; value: Device }
}

export type DeviceKeysOptions = Readonly<{
  storeId: string
  /** Of the store's storage; without one, no key would be found again. */
  place: string | undefined
  isWanted: boolean
}>

export class DeviceKeys {
  readonly #options: DeviceKeysOptions
  #device: Promise<Device | UnsignedReason> | null = null

  constructor(options: DeviceKeysOptions) {
    this.#options = options
  }

  /** The log asks for it when the first checkpoint is made, and again after {@link forget}. */
  async signing(): Promise<LogSigning> {
    const { storeId } = this.#options
    const device = await this.#load()
    if (typeof device === 'string') return nobodySigns(storeId, device)
    const signer = await createNoteSigner(originOf(storeId, device.deviceId), device.signing)
    return { status: 'signed', signer }
  }

  async seal(): Promise<StateSeal | null> {
    const device = await this.#load()
    return typeof device === 'string' ? null : createStateSeal(device.sealKey, 'streamdingo/snapshot')
  }

  /** From now on this is another device: the log is no longer the one that it signed for. */
  async forget(): Promise<void> {
    const { place } = this.#options
    if (place !== undefined && globalThis.indexedDB) {
      await withDevices(database => database.delete('devices', place))
    }
    this.#device = null
  }

  #load(): Promise<Device | UnsignedReason> {
    this.#device ??= loadDevice(this.#options)
    return this.#device
  }
}

async function loadDevice({ place, isWanted }: DeviceKeysOptions): Promise<Device | UnsignedReason> {
  if (!isWanted) return 'switched-off'
  if (place === undefined || !globalThis.indexedDB) return 'key-not-kept'
  try {
    const known = await withDevices(database => database.get('devices', place))
    if (known) return known
    const made = await makeDevice()
    return made ? await withDevices(database => knownOr(made, database, place)) : 'no-ed25519'
  } catch {
    // Some browsers refuse to store a key, as others do in private windows.
    return 'key-not-kept'
  }
}

async function makeDevice(): Promise<Device | null> {
  try {
    return { deviceId: newEventId(), signing: await generateKeyPair(), sealKey: await generateSealKey() }
  } catch {
    return null
  }
}

/** Asked and written in one transaction: two tabs must not make two. */
async function knownOr(made: Device, database: IDBPDatabase<DeviceSchema>, place: string): Promise<Device> {
  const transaction = database.transaction('devices', 'readwrite')
  const known = await transaction.store.get(place)
  if (!known) await transaction.store.add(made, place)
  await transaction.done
  return known ?? made
}

async function withDevices<T>(work: (database: IDBPDatabase<DeviceSchema>) => Promise<T>): Promise<T> {
  const database = await openDB<DeviceSchema>(DATABASE, 1, {
    upgrade: opened => void opened.createObjectStore('devices'),
  })
  try {
    return await work(database)
  } finally {
    database.close()
  }
}
