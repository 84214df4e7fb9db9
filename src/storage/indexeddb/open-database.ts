// Opens the database: its schema, and everything that can get in the way of opening.

import { type DBSchema, type IDBPDatabase, openDB } from 'idb'
import type { StoredBlock } from '../../log/block.ts'
import { StorageFailed } from '../../log/errors.ts'
import { settleWithin } from './deadline.ts'

const SCHEMA_VERSION = 1

export interface LogSchema extends DBSchema {
  /** Keyed by the position of their last entry: the last key is the head of the log. */
  blocks: { key: number; value: StoredBlock }
  values: { key: string; value: Uint8Array<ArrayBuffer> }
  /** What the browser said when it lost the log, until the user accepts it. There only if it did. */
  dataLoss: { key: 'reason'; value: string }
}

export type LogDatabase = IDBPDatabase<LogSchema>

export type OpenDatabaseOptions = Readonly<{
  name: string
  timeoutMs: number
  acceptDataLoss: boolean
  /** The database was closed under us: another tab upgrades or deletes it, or site data was cleared. */
  onLost: (error: StorageFailed) => void
}>

/** @throws `StorageFailed` `blocked`, `data-loss`, `unavailable`, or what IndexedDB itself threw. */
export async function openDatabase(options: OpenDatabaseOptions): Promise<LogDatabase> {
  const { name, timeoutMs, onLost } = options
  if (!globalThis.indexedDB) throw new StorageFailed('unavailable', 'This browser has no IndexedDB here')
  const opening = openDB<LogSchema>(name, SCHEMA_VERSION, {
    upgrade(database, _oldVersion, _newVersion, _transaction, event) {
      database.createObjectStore('blocks', { keyPath: 'lastPosition' })
      database.createObjectStore('values')
      const reason = dataLossOf(event)
      // Chromium tells once: without a record the next try would find an empty log and take it for a new one.
      if (reason !== null) database.createObjectStore('dataLoss').put(reason, 'reason')
    },
    blocking(_currentVersion, _blockedVersion, event) {
      // Whoever waits for us is a newer app or a deletion: holding on would freeze it.
      ;(event.target as IDBDatabase).close()
      onLost(
        new StorageFailed('version-change', 'Another tab upgrades or deletes the database. Reload the page'),
      )
    },
    terminated() {
      onLost(
        new StorageFailed('closed', 'The browser closed the database, as it does when site data is cleared'),
      )
    },
  })
  const checked = opening.then(database => refuseDataLoss(database, options.acceptDataLoss))
  try {
    return await settleWithin(checked, {
      ms: timeoutMs,
      problem: 'blocked',
      message: `The database "${name}" could not be opened in ${timeoutMs} ms. Close the app's other tabs and reload`,
    })
  } catch (error) {
    // If it opens after all, nobody is there to use it.
    opening.then(database => database.close()).catch(() => {})
    throw error
  }
}

/** A log that was lost stays refused, in every tab and after every reload, until it is accepted once. */
async function refuseDataLoss(database: LogDatabase, isAccepted: boolean): Promise<LogDatabase> {
  if (!database.objectStoreNames.contains('dataLoss')) return database
  if (isAccepted) await database.clear('dataLoss')
  const reason = await database.get('dataLoss', 'reason')
  if (reason === undefined) return database
  throw new StorageFailed('data-loss', `The browser lost the stored data: ${reason}`)
}

/** Chromium says so when it found the database damaged and began a new one. */
function dataLossOf(
  event: IDBVersionChangeEvent & { dataLoss?: string; dataLossMessage?: string },
): string | null {
  if (event.dataLoss === undefined || event.dataLoss === 'none') return null
  return event.dataLossMessage || event.dataLoss
}
