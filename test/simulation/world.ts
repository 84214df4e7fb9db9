// One run's world: devices, a server, and what is done to them.

import { bearerToken } from '../../src/server/access.ts'
import { createSyncServer, type SyncServer } from '../../src/server/sync-server.ts'
import type { LoopStatus } from '../../src/sync/status-of.ts'
import { createFakeClock } from '../sync/fake-clock.ts'
import { STORE, TOKEN } from '../sync/sync-world.ts'
import type { Action, ActionKind, Plan } from './actions.ts'
import { Device } from './device.ts'
import { type Backup, Disk } from './disk.ts'
import { Ledger } from './ledger.ts'
import type { HintFault, NetFault } from './network.ts'
import { type DiskFault, Process } from './process.ts'
import { Random } from './random.ts'
import { Scheduler } from './scheduler.ts'
import { holds, type Watch } from './violation.ts'

const NET_FAULTS: readonly NetFault[] = [
  'lost',
  'answer-lost',
  'answer-lost',
  'doubled',
  'late',
  'hanging',
  'cut',
  'failing',
  'dies-sending',
]
const HINT_FAULTS: readonly HintFault[] = ['lost', 'doubled', 'broken']
const DISK_FAULTS: readonly DiskFault['kind'][] = [
  'full',
  'timeout',
  'unreadable',
  'crash-before',
  'crash-after',
]

/** Things that may happen until everything is healed. */
const HEALING_STEPS = 20_000

type Server = Readonly<{ process: Process; http: SyncServer; fetch: SyncServer['fetch'] }>

export class World {
  readonly scheduler: Scheduler
  readonly devices: Device[]
  readonly #plan: Plan
  readonly #ledger: Ledger
  readonly #disk: Disk
  /** The first thing that did not hold: it may be noticed where nobody could be told. */
  #broken: unknown = null
  #server: Server
  #servers = 0
  #backup: Backup | null = null

  constructor(plan: Plan) {
    this.#plan = plan
    this.scheduler = new Scheduler(createFakeClock())
    const { scheduler } = this
    // What the server has is looked at after each of its writes, what a device has after each of its own.
    this.#disk = new Disk({
      name: 'server',
      kind: 'memory',
      scheduler,
      onWritten: () => this.#watch(() => this.#ledger.serverWritten()),
    })
    this.#ledger = new Ledger(this.#disk)
    const ids = new Random(plan.seed ^ 0x5eed)
    this.devices = Array.from({ length: plan.devices }, (_, n): Device => {
      const onWritten = () => {
        this.#watch(() => this.#ledger.deviceWritten(device.author, device.disk))
        device.tellTabs()
      }
      const name = `device ${n}`
      const disk = new Disk({ name, kind: plan.storage, scheduler, onWritten })
      const device = new Device({
        name,
        disk,
        scheduler,
        ledger: this.#ledger,
        server: () => this.#server,
        ids,
        onStatus: status => this.#watch(() => this.#checkHalt(status)),
        watch: this.#watch,
      })
      return device
    })
    this.#server = this.#startServer()
  }

  readonly #watch: Watch = look => {
    try {
      look()
    } catch (error) {
      this.#broken ??= error
    }
  }

  start(): void {
    for (const device of this.devices) device.openTab()
  }

  /** Does it, and then lets so many things happen as it says. */
  async act({ kind, device, luck, steps }: Action): Promise<void> {
    const random = new Random(luck)
    this.scheduler.note(`--- ${kind} ${device}`)
    await DOINGS[kind](this.devices[device]!, random, this)
    await this.scheduler.settle()
    for (let i = 0; i < steps; i++) await this.#step(random)
  }

  crashServer(): void {
    this.#server.process.crash()
    this.#server = this.#startServer()
  }

  /** The next one serves while this one still answers what it was asked. */
  restartServer(): void {
    const { http, process } = this.#server
    this.#server = this.#startServer()
    void http.close().then(() => process.crash())
  }

  backupServer(): void {
    this.#backup = this.#disk.backup()
  }

  /** As an operator does: with another epoch, as the log is another one. */
  async restoreServer(): Promise<void> {
    if (!this.#backup) return
    this.scheduler.note('the server is put back')
    this.#server.process.crash()
    const values = new Map(this.#backup.values)
    values.delete('server/epoch')
    this.#ledger.serverPutBack()
    await this.#disk.restore({ ...this.#backup, values })
    this.#server = this.#startServer()
  }

  get serverProcess(): Process {
    return this.#server.process
  }

  /** Everything works again; in the end all have the same. */
  async heal(random: Random): Promise<void> {
    this.scheduler.note('--- heal')
    this.#server.process.spare()
    // What a crash of the disk took down nobody has started again.
    if (!this.#server.process.isAlive) this.#server = this.#startServer()
    for (const device of this.devices) {
      device.line.mend()
      for (const { process } of device.tabs) process.spare()
      device.setOnline(true)
      device.poke()
    }
    for (let i = 0; i < HEALING_STEPS && !(this.scheduler.isIdle && this.#isWell()); i++) {
      // Whatever else there is to happen comes first: it may be a tab that opens.
      if (this.scheduler.isIdle) for (const device of this.devices) device.wakeUp()
      if (this.scheduler.isIdle) await this.scheduler.settle()
      await this.#step(random)
    }
    holds(
      this.#isWell(),
      () => `8: not everything is the same in the end: ${JSON.stringify(this.#standing())}`,
    )
    for (const device of this.devices) await this.#lookThrough(device)
  }

  /** What still goes on goes nowhere. */
  async end(): Promise<void> {
    this.#server.process.crash()
    for (const { tabs } of this.devices) for (const { process } of [...tabs]) process.crash()
    await this.scheduler.settle()
  }

  async #step(random: Random): Promise<void> {
    await this.scheduler.step(random)
    if (this.#broken) throw this.#broken
  }

  /** Rule 9: nothing stops a loop here. */
  #checkHalt({ phase, error }: LoopStatus): void {
    holds(phase !== 'stopped', () => `9: a loop stopped: ${error?.message}`)
  }

  #isWell(): boolean {
    const end = this.#ledger.serverEntries.length
    return this.devices.every(({ loops }) => {
      const statuses = loops.map(({ sync }) => sync.status())
      return (
        statuses.length > 0 &&
        statuses.every(
          ({ phase, pending, serverPosition }) => phase === 'idle' && pending === 0 && serverPosition === end,
        )
      )
    })
  }

  #standing() {
    const devices = this.devices.map(({ loops }) =>
      loops.map(({ sync }) => {
        const { phase, pending, serverPosition, error } = sync.status()
        return { phase, pending, serverPosition, error: error?.message }
      }),
    )
    return { server: this.#ledger.serverEntries.length, devices }
  }

  /** What is read is what is stored, and all of it is sound. */
  async #lookThrough(device: Device): Promise<void> {
    const [tab] = device.openTabs
    const looking = tab!.log.verify()
    let report: Awaited<typeof looking> | null = null
    looking.then(one => {
      report = one
    })
    const random = new Random(this.#plan.seed)
    while (!report) await this.#step(random)
    holds((report as { ok: boolean }).ok, () => `8: a log does not hold: ${JSON.stringify(report)}`)
    holds(
      await this.scheduler.whole(() => device.disk.holdsWhatWasWritten()),
      () => 'the disk has other bytes',
    )
  }

  #startServer(): Server {
    const process = new Process(`server ${++this.#servers}`)
    const http = createSyncServer({
      openStorage: () => this.#disk.openFor(process),
      authorize: request =>
        bearerToken(request) === TOKEN ? { storeId: STORE, read: true, append: true, erase: true } : null,
      limits: this.#plan.limits,
    })
    return { process, http, fetch: request => this.#throughProxy(request, http) }
  }

  async #throughProxy(request: Request, http: SyncServer): Promise<Response> {
    const body = request.method === 'POST' ? await request.clone().arrayBuffer() : null
    const isTooLarge = body !== null && body.byteLength > this.#plan.proxyBytes
    return isTooLarge
      ? new Response('<html>Request Entity Too Large</html>', { status: 413 })
      : http.fetch(request)
  }
}

const DOINGS: Record<ActionKind, (device: Device, random: Random, world: World) => void | Promise<void>> = {
  append: (device, random) => device.append(random),
  fill: (device, random) => device.fill(random),
  acknowledge: (device, random) => void device.acknowledge(random),
  time: (_device, random, { scheduler: { clock } }) => clock.advance(random.below(40_000)),
  netFault: ({ line }, random) => void line.faults.push(random.pick(NET_FAULTS)),
  hintFault: ({ line }, random) => void line.hintFaults.push(random.pick(HINT_FAULTS)),
  diskFault: ({ tabs }, random) => {
    if (tabs.length > 0) random.pick(tabs).process.willMeet(diskFault(random))
  },
  crash: ({ tabs }, random) => {
    if (tabs.length > 0) random.pick(tabs).process.crash()
  },
  openTab: device => {
    if (device.tabs.length < 2) device.openTab()
  },
  closeTab: (device, random) => {
    if (device.openTabs.length > 0) void device.closeTab(random.pick(device.openTabs))
  },
  lead(device, random) {
    const leaders = device.openTabs.filter(({ loop }) => loop)
    const [other] = device.openTabs.filter(({ loop }) => !loop)
    if (!other) return
    // The one before may not have noticed.
    if (random.happens(0.5)) for (const leader of leaders) device.stepDown(leader)
    device.lead(other)
  },
  offline: device => device.setOnline(false),
  online: device => device.setOnline(true),
  poke: device => device.poke(),
  cutLine: ({ line }) => {
    line.isCut = true
  },
  mendLine: ({ line }) => line.mend(),
  serverDiskFault: (_device, random, world) => world.serverProcess.willMeet(diskFault(random)),
  crashServer: (_device, _random, world) => world.crashServer(),
  restartServer: (_device, _random, world) => world.restartServer(),
  backupDevice: device => {
    device.backup = device.disk.backup()
  },
  restoreDevice: device => (device.backup ? device.restore(device.backup) : undefined),
  backupServer: (_device, _random, world) => world.backupServer(),
  restoreServer: (_device, _random, world) => world.restoreServer(),
}

const diskFault = (random: Random): DiskFault => ({
  kind: random.pick(DISK_FAULTS),
  skip: random.below(4),
})
