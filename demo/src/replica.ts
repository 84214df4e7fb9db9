// Which board this page shows, as which device, and in which release of the app: all of it stands in the address.

import { isRelease, type Release } from './domain/activity.ts'
import { BOARD_NAME } from './domain/board-name.ts'

/** One device's copy of a board. */
export type Replica = Readonly<{
  boardId: string
  /** Null for the one that everybody starts with. */
  device: string | null
  /** Which release of the app this page plays. */
  release: Release
  /** Name of its IndexedDB database. Another name is another device, as far as the store can tell. */
  database: string
}>

/** Names that are none fall back to the board `demo` and to the first device. */
export function replicaOf({ search }: Pick<Location, 'search'>): Replica {
  const parameters = new URLSearchParams(search)
  const named = (key: string) => BOARD_NAME.exec(parameters.get(key) ?? '')?.[0] ?? null
  const boardId = named('board') ?? 'demo'
  const device = named('device')
  const asked = parameters.get('release') ?? ''
  const release = isRelease(asked) ? asked : ''
  return {
    boardId,
    device,
    release,
    database: ['streamdingo-demo', boardId, device].filter(Boolean).join('/'),
  }
}

/** Where the same board is seen from another device. */
export function otherDevice({ boardId, device }: Pick<Replica, 'boardId' | 'device'>): string {
  const parameters = new URLSearchParams({ board: boardId, ...(device === null && { device: 'second' }) })
  return `?${parameters}`
}
