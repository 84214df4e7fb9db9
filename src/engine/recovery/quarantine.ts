// Blocks that could not be read whole when the log was begun anew: set aside in the side table, as they were stored.

import { Block, type StoredBlock } from '../../log/block.ts'
import { MalformedBytes } from '../../log/bytes.ts'
import { bytesOfEventId, eventIdOf } from '../../log/event-id.ts'
import { jsonSlice } from '../../log/json-column.ts'
import type { QuarantinedBlock } from '../../model/integrity-status.ts'
import type { LogStorage } from '../../storage/log-storage.ts'

export const QUARANTINE = 'quarantine/'

export const quarantineKey = ({ firstPosition, lastPosition }: StoredBlock): string =>
  `${QUARANTINE}${Date.now()}/${firstPosition}-${lastPosition}`

/** The oldest first. */
export async function readQuarantine(storage: Pick<LogStorage, 'list'>): Promise<QuarantinedBlock[]> {
  const rows = await storage.list(QUARANTINE)
  return rows.map(([key, bytes]) => {
    const [, at, first, last] = /\/(\d+)\/(\d+)-(\d+)$/.exec(key)!
    return { setAsideAt: Number(at), firstPosition: Number(first), lastPosition: Number(last), bytes }
  })
}

/**
 * Overwrites what these events say with spaces. A block that names one of them, but cannot be taken apart, goes as a
 * whole: what has to be erased must not stay for the sake of what nobody can read.
 */
export async function eraseInQuarantine(
  storage: Pick<LogStorage, 'list' | 'put'>,
  eventIds: ReadonlySet<string>,
): Promise<void> {
  const changed: Record<string, Uint8Array<ArrayBuffer> | null> = {}
  for (const [key, bytes] of await storage.list(QUARANTINE)) {
    const block = takenApart(bytes)
    if (!block) {
      if (namesAny(bytes, eventIds)) changed[key] = null
    } else if (blankOut(block, eventIds)) changed[key] = bytes
  }
  if (Object.keys(changed).length > 0) await storage.put(changed)
}

function takenApart(bytes: Uint8Array): Block | null {
  try {
    return new Block(bytes)
  } catch (error) {
    if (error instanceof MalformedBytes) return null
    throw error
  }
}

/** In place: what a block gives are views of its bytes. */
function blankOut(block: Block, eventIds: ReadonlySet<string>): boolean {
  let hasChanged = false
  for (let i = 0; i < block.count; i++) {
    if (!eventIds.has(eventIdOf(block.idOf(i)))) continue
    for (const column of [block.payloads, block.metadata]) jsonSlice(column, i).fill(SPACE)
    block.entry(i).salt.fill(0)
    hasChanged = true
  }
  return hasChanged
}

function namesAny(bytes: Uint8Array, eventIds: ReadonlySet<string>): boolean {
  const text = asText(bytes)
  return [...eventIds].some(eventId => text.includes(asText(bytesOfEventId(eventId))))
}

/** A character a byte. */
const asText = (bytes: Uint8Array): string => new TextDecoder('latin1').decode(bytes)

const SPACE = 0x20
