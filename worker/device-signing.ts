// The key that signs this device's checkpoints: made once, kept in IndexedDB as a key that no script can read out.

import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import { type LogSigning, nobodySigns, originOf } from '../src/engine/checkpoint-book.ts'
import { generateKeyPair, type KeyPair } from '../src/integrity/ed25519.ts'
import { createNoteSigner } from '../src/integrity/note-key.ts'
import { newEventId } from '../src/log/event-id.ts'

/** One for all stores of an origin, so that it stays when the database of a store is deleted. */
const DATABASE = 'streamdingo-devices'

/** Who this device is in one store. Another one after every verdict: its log is no longer the one it signed for. */
type Device = KeyPair & Readonly<{ deviceId: string }>

interface DeviceSchema extends DBSchema {
  devices: { key: string; value: Device }
}

/** @param place of the store's storage; without one, no key would be found again */
export async function deviceSigning(storeId: string, place: string | undefined): Promise<LogSigning> {
  if (place === undefined || !globalThis.indexedDB) return nobodySigns(storeId, 'key-not-kept')
  const made = await makeDevice()
  if (!made) return nobodySigns(storeId, 'no-ed25519')
  try {
    const device = await withDevices(database => knownOr(made, database, place))
    const signer = await createNoteSigner(originOf(storeId, device.deviceId), device)
    return { status: 'signed', signer }
  } catch {
    // Some browsers refuse to store a key, as others do in private windows.
    return nobodySigns(storeId, 'key-not-kept')
  }
}

/** The next one that signs for this store is another device. */
export async function forgetDevice(place: string | undefined): Promise<void> {
  if (place === undefined || !globalThis.indexedDB) return
  await withDevices(database => database.delete('devices', place))
}

async function makeDevice(): Promise<Device | null> {
  try {
    return { deviceId: newEventId(), ...(await generateKeyPair()) }
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
