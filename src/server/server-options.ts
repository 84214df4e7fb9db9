// What a sync server is made with, and what it takes where nothing is said.

import type { LogStorage } from '../storage/log-storage.ts'
import type { Authorize } from './access.ts'
import type { SyncServerRates } from './gate.ts'
import type { ObserverOptions } from './observers.ts'
import type { ServerSigning } from './signing.ts'

export type SyncServerLimits = Readonly<{
  /** Most bytes of one push. Default 16 MiB. */
  maxPushBytes?: number
  /** Most bytes of one page, about, but for a single commit that is larger. Default 8 MiB. */
  maxPullBytes?: number
  /** Most hint streams that are open at once in one store. Default 1,000. */
  maxLiveClients?: number
  /** Stores that stay open while nobody uses them. Default 100. */
  maxIdleStores?: number
  /** Most devices that one store is a witness for. Default 10,000. */
  maxDevices?: number
  /** How often `authorize` is asked again for a stream of hints that lives. Default 60,000 ms. */
  recheckMs?: number
}>

/** What the server was at; null for what is not known, or was for no request. */
export type ErrorContext = Readonly<{
  storeId: string | null
  /** Method and path. */
  request: string | null
}>

export type SyncServerOptions = ObserverOptions &
  Readonly<{
    /** Called once for each store on first use; the server opens and closes what it gets. */
    openStorage: (storeId: string) => LogStorage | Promise<LogStorage>
    authorize: Authorize
    /** Origins whose pages may call; none but the server's own where it is left out. */
    cors?: Readonly<{ origins: readonly string[] }>
    limits?: SyncServerLimits
    /** How often who may ask. Left out: as often as they like. */
    rates?: SyncServerRates
    /** In whose name the server signs its logs and, as a witness, those of devices. Left out: it signs nothing. */
    signing?: ServerSigning
    /** Resolves when the storage can be reached: what `/healthz/ready` tells. Left out: it always can. */
    checkStorage?: () => Promise<unknown>
    /** Told of everything that was not a client's fault. */
    onError?: (error: unknown, context: ErrorContext) => void
  }>

export const DEFAULT_LIMITS = {
  maxPushBytes: 16 * 1024 * 1024,
  maxPullBytes: 8 * 1024 * 1024,
  maxLiveClients: 1000,
  maxIdleStores: 100,
  maxDevices: 10_000,
  recheckMs: 60_000,
} as const satisfies Required<SyncServerLimits>
