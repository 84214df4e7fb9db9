// The composition root: puts storage, log, replay, sync and tabs together, and serves them on a port.

import type * as Comlink from 'comlink'
import { importLog } from '../src/engine/backup/import-log.ts'
import { KeyRing } from '../src/engine/encryption/key-ring.ts'
import type { EventLog } from '../src/engine/event-log.ts'
import type { IdleUpkeepOptions } from '../src/engine/idle-upkeep.ts'
import { openLog } from '../src/engine/open-log.ts'
import { restoreLog } from '../src/engine/recovery/restore.ts'
import type { AuditOptions } from '../src/engine/replay/audit.ts'
import { type Follower, Followers } from '../src/engine/replay/followers.ts'
import { createProjector } from '../src/engine/replay/projector.ts'
import { openReadModels } from '../src/engine/replay/read-models.ts'
import type { HandlerFailure } from '../src/engine/replay/report-once.ts'
import type { SnapshotDrop } from '../src/engine/replay/snapshot-store.ts'
import { StorageFailed, StoreError } from '../src/log/errors.ts'
import { createSha256 } from '../src/log/sha256/create-sha256.ts'
import { isSameChoice } from '../src/log/stream-pattern.ts'
import type { App } from '../src/model/app.ts'
import type { EncryptionOptions } from '../src/model/encryption.ts'
import type { ImportProgress } from '../src/model/import.ts'
import type { ReplayReport } from '../src/model/replay-report.ts'
import type { ServedReadModels } from '../src/model/row-store.ts'
import type { SnapshotsOptions } from '../src/model/snapshot-policy.ts'
import type { SyncStatus } from '../src/model/sync-status.ts'
import { wireErrorOf } from '../src/protocol/wire-error.ts'
import type { PageValues } from '../src/protocol/worker-api.ts'
import type { LogStorage } from '../src/storage/log-storage.ts'
import { createSyncLoop } from '../src/sync/sync-loop.ts'
import { anchorIn } from './anchor-keeper.ts'
import { type AnchorShelf, openAnchorShelf } from './anchor-shelf.ts'
import { DeviceKeys } from './device-keys.ts'
import { shareGrowth } from './growth-hints.ts'
import { IntegrityWatch } from './integrity-watch.ts'
import { openKeyShelf } from './key-shelf.ts'
import type { Pages } from './pages.ts'
import { ReplayReports } from './replay-reports.ts'
import { runInOneTab } from './run-in-one-tab.ts'
import { serveEachPage, serveOnePage } from './serve-port.ts'
import { sharedNameOf } from './shared-name.ts'
import { type OpenedStore, StoreHost, type StoreOpener } from './store-host.ts'
import { createSyncOff, SyncRole, type SyncSwitch, type SyncTarget } from './sync-role.ts'
import type { SyncTimings } from './sync-timings.ts'
import { TabChannel } from './tab-channel.ts'
import { sayWeaklyKnown } from './weak-code.ts'
import { underLock } from './web-lock.ts'

export type ServeStoreOptions = Readonly<{
  app: App
  /** Called with what the page gave to `openStore`. The store opens and closes what it returns. */
  storage: (values: PageValues) => LogStorage
  /**
   * Where to sync. What the page gives comes before what an object says; a function decides by itself, and turns
   * sync off with null.
   */
  sync?: Partial<SyncTarget> | ((values: PageValues) => SyncTarget | null)
  /**
   * Many small appends leave many small blocks in storage: they are merged once nothing was appended for `idleMs`,
   * by default 1,000 milliseconds. False: never.
   */
  compaction?: Readonly<{ idleMs?: number }> | false
  /**
   * Handlers must make the same state of the same events each time. One of `every` snapshots (default 16) is folded a
   * second time in the background to see whether they do, `maxEvents` events (default 10,000) at most. False: never.
   */
  audit?: AuditOptions | false
  /**
   * Sign checkpoints of the log, and seal snapshots, with keys of this device (Ed25519 and HMAC, kept in IndexedDB, not
   * extractable). Default true; where it cannot be done, the checkpoints say why.
   */
  signing?: boolean
  /**
   * Encrypts what events say before it is stored, so that the server never sees it: which key each is encrypted with, and
   * keys of the application's own. Others are added by `store.keys`. What is encrypted is read with the keys that there are,
   * whether this is given or not.
   */
  encryption?: EncryptionOptions
  /** In which form snapshots are stored, and how many bytes they may take. */
  snapshots?: SnapshotsOptions
  /**
   * Read models, and the database that their rows are in, such as `dexieRows(database)` of `streamdingo/dexie`. Called with
   * what the page gave to `openStore`; the store closes the database with itself.
   */
  readModels?: (values: PageValues) => ServedReadModels
  /** Told of each fold that did not go on from what is in memory: why, from where, and how much it had to fold. */
  onReplayed?: (report: ReplayReport) => void
  /** Told what goes wrong beside a call. Default: `reportError`, as for any uncaught error. */
  onError?: (error: Error) => void
}>

/**
 * Serves a store to the page that made this worker and calls `openStore`; in a `SharedWorker`, to all pages that connect:
 * those that give the same `storeId` share one open store. There the database that `storage` names depends on the `storeId`
 * alone: pages that mean another one, or another server, are refused with `worker-mismatch`. To be called at once, not after
 * an `await`.
 */
export function serveStore(options: ServeStoreOptions): void {
  const serving = { onError: (error: Error) => self.reportError(error), ...options }
  // `self` is typed as a window here; what is used of it a worker has, too.
  if ('onconnect' in self) serveStoreToAll(self as unknown as EventTarget, serving)
  else serveStoreOn(self as unknown as Comlink.Endpoint, serving)
}

type PortOptions = ServeStoreOptions &
  Required<Pick<ServeStoreOptions, 'onError'>> &
  Readonly<{ timings?: SyncTimings }>

/** As {@link serveStore} in a worker of one page, on any port. */
export function serveStoreOn(port: Comlink.Endpoint, options: PortOptions): void {
  serveOnePage(port, hostOf(options))
}

/** As {@link serveStore} in a shared worker, to whoever connects. */
export function serveStoreToAll(scope: EventTarget, options: PortOptions): void {
  serveEachPage(scope, hostOf(options))
}

function hostOf(options: PortOptions): StoreHost {
  sayWeaklyKnown(options.app)
  return new StoreHost({
    open: (...args) => openStoreParts(options, ...args),
    differenceOf(one, other) {
      if (options.storage(one).place !== options.storage(other).place) return 'database'
      const [ours, theirs] = [one, other].map(values => syncTargetOf(options.sync, values))
      if (ours?.url !== theirs?.url) return 'server'
      return isSameChoice(ours?.streams, theirs?.streams) ? null : 'streams'
    },
  })
}

async function openStoreParts(
  options: PortOptions,
  ...[values, pages, { signal, onLost }]: Parameters<StoreOpener['open']>
): Promise<OpenedStore> {
  const { app, snapshots, onError } = options
  const storage = options.storage(values)
  const tellLost = (error: Error): void => {
    onLost()
    pages.tell(page => page.storageLost(wireErrorOf(error)))
  }
  storage.onLost(tellLost)
  const compaction = compactionOf(options.compaction, storage)
  const { storeId } = values
  const keys = new DeviceKeys({ storeId, place: storage.place, isWanted: options.signing ?? true })
  const shelf = await openAnchorShelf(pages)
  if (values.restore) await restore({ storage, storeId, keys, shelf, onError })
  if (values.importFrom) await takeIn(values.importFrom, { storage, storeId, keys, shelf, pages, signal })
  const anchorAtOpening = readAnchor(shelf, storage.place, onError)
  const replays = new ReplayReports()
  const onReplayed = (report: ReplayReport) => {
    replays.add(report)
    options.onReplayed?.(report)
  }
  const target = syncTargetOf(options.sync, values)
  const log = await openLog({
    storage,
    storeId,
    app,
    ...(target?.streams && { streams: target.streams }),
    ...(compaction && { compaction }),
    ...(snapshots && { snapshots }),
    onReplayed,
    encryption: encryptionOf(options.encryption, storage),
    signing: () => keys.signing(),
    seal: () => keys.seal(),
    onBackgroundError: onError,
  })
  // Soon needed by the first view. Not before the log is open: Chromium tells of a loss of data to the first database
  // that is opened, and that must be the log's.
  void keys.seal()
  try {
    // What the file still says of events that were erased here is gone before anybody reads.
    if (values.importFrom) await log.erasures.resume()
    const isBegunAnew = values.restore === true || values.importFrom !== undefined
    const opened = {
      log,
      target,
      keys,
      place: storage.place,
      shelf,
      anchorAtOpening,
      isBegunAnew,
      replays,
      onReplayed,
      tellLost,
    }
    return await assemble(opened, options, values, pages)
  } catch (error) {
    await log.close()
    throw error
  }
}

type OpenedLog = Readonly<{
  log: EventLog
  target: SyncTarget | null
  keys: DeviceKeys
  place: string | undefined
  shelf: AnchorShelf
  anchorAtOpening: Promise<string | null>
  isBegunAnew: boolean
  replays: ReplayReports
  onReplayed: (report: ReplayReport) => void
  tellLost: (error: Error) => void
}>

async function assemble(
  { log, target, keys, place, shelf, anchorAtOpening, isBegunAnew, replays, onReplayed, tellLost }: OpenedLog,
  options: PortOptions,
  values: PageValues,
  pages: Pages,
): Promise<OpenedStore> {
  const { app, onError } = options
  const life = new AbortController()
  const syncLife = new AbortController()
  const name = await sharedNameOf(log.storage)
  const channel = new TabChannel(name, life.signal)
  const tellGrowth = shareGrowth({ log, channel, signal: life.signal, onError })
  const integrity = new IntegrityWatch({
    log,
    keys,
    place,
    shelf,
    anchorAtOpening,
    channel,
    name,
    hasServer: target !== null,
    confirmed: (...args) => sync.confirmed(...args),
    onStatus: () => showIntegrity(),
    onCheckpoint: checkpoint => sync.witness(checkpoint),
    onError,
    signal: syncLife.signal,
  })
  const showIntegrity = pages.latestSender(page => page.integrityStatus(integrity.status()), life.signal)
  const onHandlerFailed = ({ error }: HandlerFailure) => onError(error)
  const onFault = (error: unknown) => onError(error instanceof Error ? error : new Error(String(error)))
  const projector = createProjector({
    log,
    app,
    onHandlerFailed,
    onReplayed,
    ...(options.snapshots?.codec && { snapshotCodec: options.snapshots.codec }),
    onSnapshotDropped: drop => takeDrop(drop, integrity, onError),
    ...(options.audit !== undefined && { audit: options.audit }),
    onAuditFailed: failure => void integrity.projectionFound(failure),
  })
  const served = options.readModels?.(values)
  const readModels = served && (await openReadModels({ ...served, log, onHandlerFailed, onError: onFault }))
  const followers = new Followers({
    log,
    followers: allOf(projector.followers, readModels?.followers),
    onSkipped: projection => channel.post({ type: 'event-skipped', projection }),
  })
  channel.on('event-skipped', ({ projection }) => void followers.skippedElsewhere(projection).catch(onFault))
  const showStatus = pages.latestSender(page => page.syncStatus(sync.status()), life.signal)
  const onStatus = ({ phase }: SyncStatus) => {
    showStatus()
    if (phase === 'idle') integrity.serverReached()
  }
  const syncParts = { log, onStatus, signal: syncLife.signal }
  const sync = target
    ? new SyncRole({
        ...syncParts,
        target,
        channel,
        name,
        createLoop: createSyncLoop,
        ...(options.timings && { timings: options.timings }),
        renewToken: () => pages.ask(page => page.freshToken()),
        onWitnessed: (answer, checkpoint) => void integrity.takeAnswer(answer, checkpoint),
        onInconsistent: error => void integrity.serverFound(error),
      })
    : createSyncOff(syncParts)
  channel.on('restored', () => tellLost(BEGUN_ANEW))
  if (isBegunAnew) channel.post({ type: 'restored' })
  await integrity.start()
  await sync.start()
  showStatus()
  return {
    log,
    projector,
    followers,
    readModels: readModels ?? null,
    replays,
    sync,
    integrity,
    joined: takeTokens(options.sync, values, sync),
    async close() {
      syncLife.abort()
      await sync.ended()
      await integrity.close()
      await readModels?.close()
      await projector.close()
      await log.close()
      tellGrowth()
      life.abort()
    },
  }
}

/** @throws `StoreError` `invalid-argument` for a name that a projection and a read model share. */
function allOf(
  projections: ReadonlyMap<string, Follower>,
  readModels: ReadonlyMap<string, Follower> = new Map(),
): ReadonlyMap<string, Follower> {
  const shared = [...readModels.keys()].find(name => projections.has(name))
  if (shared === undefined) return new Map([...projections, ...readModels])
  throw new StoreError('invalid-argument', `A projection and a read model are both called "${shared}"`, {
    name: shared,
  })
}

/** One that cannot be read is as none: a store must open without it. */
async function readAnchor(
  shelf: AnchorShelf,
  place: string | undefined,
  onError: (error: Error) => void,
): Promise<string | null> {
  try {
    return place === undefined ? null : await shelf.read(place)
  } catch (error) {
    onError(error instanceof Error ? error : new Error(String(error)))
    return null
  }
}

const BEGUN_ANEW = new StorageFailed('version-change', 'Another tab began the log anew. Open the store again')

type RestoreParts = Readonly<{
  storage: LogStorage
  storeId: string
  keys: DeviceKeys
  shelf: AnchorShelf
  onError: (error: Error) => void
}>

/** Behind it, this is another device with another log: nothing may compare it with what was. */
async function restore({ storage, storeId, keys, shelf, onError }: RestoreParts): Promise<void> {
  await storage.open()
  try {
    const anchor = anchorIn(await readAnchor(shelf, storage.place, onError))
    await restoreLog(storage, { storeId, hash: await createSha256(), anchor })
    await keys.forget()
    if (storage.place !== undefined) await shelf.write(storage.place, 'null')
  } finally {
    await storage.close()
  }
}

type TakeInParts = Readonly<{
  storage: LogStorage
  storeId: string
  keys: DeviceKeys
  shelf: AnchorShelf
  pages: Pages
  signal: AbortSignal
}>

/** Behind it, this is another device, as with {@link restore}: the one that the file is of may go on, too. */
async function takeIn(
  { file, replace }: NonNullable<PageValues['importFrom']>,
  { storage, storeId, keys, shelf, pages, signal }: TakeInParts,
): Promise<void> {
  let progress: ImportProgress = { phase: 'verifying', done: 0, total: 0 }
  const told = new AbortController()
  const tell = pages.latestSender(page => page.importProgress(progress), told.signal)
  // The page takes a worker that is silent for dead.
  const alive = setInterval(tell, ALIVE_MS)
  const onProgress = (latest: ImportProgress): void => {
    progress = latest
    tell()
  }
  try {
    const hash = await createSha256()
    const importing = { storage, storeId, hash, file, replace, onProgress, signal }
    await underLock(upkeepLock(await nameOfClosed(storage)), () => importLog(importing))
    await keys.forget()
    if (storage.place !== undefined) await shelf.write(storage.place, 'null')
  } finally {
    clearInterval(alive)
    told.abort()
  }
}

const ALIVE_MS = 5_000

async function nameOfClosed(storage: LogStorage): Promise<string> {
  await storage.open()
  try {
    return await sharedNameOf(storage)
  } finally {
    await storage.close()
  }
}

/** Held by who imports, too: upkeep drops what an import has left. */
const upkeepLock = (name: string): string => `${name}:compaction`

function compactionOf(
  compaction: ServeStoreOptions['compaction'],
  storage: LogStorage,
): IdleUpkeepOptions | null {
  if (compaction === false) return null
  const runAlone: IdleUpkeepOptions['runAlone'] = async work =>
    runInOneTab(upkeepLock(await sharedNameOf(storage)), work)
  return { ...compaction, runAlone }
}

function encryptionOf({ key, keyIdFor }: EncryptionOptions = {}, { place }: LogStorage) {
  return { ring: new KeyRing({ shelf: openKeyShelf(place), source: key }), keyIdFor }
}

function syncTargetOf(sync: ServeStoreOptions['sync'], values: PageValues): SyncTarget | null {
  if (typeof sync === 'function') return sync(values)
  const { url, token } = { ...sync, ...values }
  if (url === undefined) return null
  const { serverKey } = sync ?? {}
  const streams = values.streams ?? sync?.streams
  return {
    url,
    ...(token !== undefined && { token }),
    ...(serverKey !== undefined && { serverKey }),
    ...(streams !== undefined && { streams }),
  }
}

/** A page that comes later comes with a later token. */
function takeTokens(
  sync: ServeStoreOptions['sync'],
  first: PageValues,
  role: Pick<SyncSwitch, 'setToken'>,
): OpenedStore['joined'] {
  let latest = syncTargetOf(sync, first)?.token
  return values => {
    const token = syncTargetOf(sync, values)?.token
    if (typeof token !== 'string' || token === latest) return
    latest = token
    role.setToken(token)
  }
}

/** Snapshots that a new version, a rebase or an erasure made useless are nothing to tell. */
function takeDrop(drop: SnapshotDrop, integrity: IntegrityWatch, onError: (error: Error) => void): void {
  switch (drop.problem) {
    case 'damaged':
    case 'foreign':
    case 'wrong-seal':
      void integrity.snapshotFound(drop)
      return
    case 'not-written': {
      const { owner, position, cause } = drop
      const name = `${owner.kind} ${owner.name}`
      onError(new Error(`The snapshot of ${name} at position ${position} was not written`, { cause }))
    }
  }
}
