// A sync server without a socket, and devices that have something to push to it.

import { onTestFinished } from 'vitest'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { utf8 } from '../../src/log/bytes.ts'
import type { Entry } from '../../src/log/entry.ts'
import { HashChain } from '../../src/log/hash-chain.ts'
import { decodePullResponse, encodePushRequest, type PullResponse } from '../../src/protocol/sync-messages.ts'
import { bearerToken, createSyncServer, type SyncServerOptions } from '../../src/server/index.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'

export type Commits = readonly (readonly Entry[])[]
export type TestServer = ReturnType<typeof serve>

/** Tokens name a store and what they may do, to read, append, erase: `board~ra`. */
export const authorize: SyncServerOptions['authorize'] = request => {
  const [storeId, rights = ''] = bearerToken(request)?.split('~') ?? []
  if (!storeId) return null
  const has = (right: string): boolean => rights.includes(right)
  return { storeId, read: has('r'), append: has('a'), erase: has('e') }
}

/** A server that ends with the test. Its stores are in memory where `options` say nothing else. */
export function serve(options: Partial<SyncServerOptions> = {}) {
  const databases = new Map<string, MemoryDatabase>()
  const openStorage = (storeId: string) => {
    const database = databases.get(storeId) ?? createMemoryDatabase()
    databases.set(storeId, database)
    return memoryStorage({ database })
  }
  const server = createSyncServer({ openStorage, authorize, ...options })
  onTestFinished(() => server.close())

  const call = (path: string, init: RequestInit = {}, token = 'board~ra') =>
    server.fetch(
      new Request(`http://server${path}`, {
        ...init,
        headers: { authorization: `Bearer ${token}`, ...(init.headers as Record<string, string>) },
      }),
    )
  const post = (body: BodyInit, headers: Record<string, string> = {}, token?: string) =>
    call(
      '/v1/log',
      { method: 'POST', body, headers: { 'content-type': 'application/octet-stream', ...headers } },
      token,
    )
  const epoch = async (token?: string) =>
    ((await (await call('/v1/head', {}, token)).json()) as { epoch: string }).epoch
  const pull = async (query: string): Promise<PullResponse> =>
    decodePullResponse(new Uint8Array(await (await call(`/v1/log?${query}`)).arrayBuffer()))
  return { server, call, post, epoch, pull, databases }
}

export function device(storeId = 'board'): Promise<EventLog> {
  return openLog({ storage: memoryStorage(), storeId })
}

export function say(log: EventLog, streamName: string, ...texts: string[]) {
  return createEventStore(log).appendToStream(
    streamName,
    texts.map(data => ({ type: 'Said', data })),
  )
}

export async function pendingOf(log: EventLog): Promise<Commits> {
  return (await log.pendingCommits(Infinity)).map(({ entries }) => entries)
}

/** The body that pushes all that is pending. */
export async function pushBody(log: EventLog, epoch: string): Promise<Uint8Array<ArrayBuffer>> {
  return encodePushRequest({ epoch, commits: await pendingOf(log) }, log.hash)
}

/** An entry with other content, and the hash that goes with it: what a hostile client can make. */
export function forged(
  log: EventLog,
  entry: Entry,
  {
    payload,
    metadata,
    ...rest
  }: Partial<Omit<Entry, 'payload' | 'metadata' | 'hash'>> & {
    payload?: string
    metadata?: string
  },
): Entry {
  const changed = {
    ...entry,
    ...rest,
    ...(payload !== undefined && { payload: utf8(payload) }),
    ...(metadata !== undefined && { metadata: utf8(metadata) }),
  }
  return { ...changed, hash: new HashChain(log.hash).hashOf(changed) }
}
