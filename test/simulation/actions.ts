// What people, machines and networks do in one run, made of its seed: a list, so that parts of it can be left out.

import type { StorageKind } from './disk.ts'
import { Random } from './random.ts'

/** `luck` decides everything within the action and what happens in the `steps` behind it, so that leaving out another action changes little. */
export type Action = Readonly<{ kind: ActionKind; device: number; luck: number; steps: number }>

export type Plan = Readonly<{
  seed: number
  storage: StorageKind
  devices: number
  /** Most bytes that the server takes in a push and gives in a page. */
  limits: Readonly<{ maxPushBytes: number; maxPullBytes: number }>
  /** Most bytes that a proxy before it lets through, whatever the server says. */
  proxyBytes: number
  actions: readonly Action[]
}>

/** How often each is done. */
const WEIGHTS = {
  append: 20,
  fill: 8,
  acknowledge: 2,
  time: 6,
  netFault: 10,
  hintFault: 3,
  diskFault: 6,
  crash: 3,
  openTab: 4,
  closeTab: 2,
  lead: 4,
  offline: 3,
  online: 4,
  poke: 2,
  cutLine: 2,
  mendLine: 3,
  serverDiskFault: 3,
  crashServer: 2,
  restartServer: 2,
  backupDevice: 3,
  restoreDevice: 3,
  backupServer: 2,
  restoreServer: 2,
} as const

export type ActionKind = keyof typeof WEIGHTS

/** Storage is put back in some runs only: what follows on it would hide everything else. */
const DEVICE_RESTORES: readonly ActionKind[] = ['backupDevice', 'restoreDevice']
const SERVER_RESTORES: readonly ActionKind[] = ['backupServer', 'restoreServer']

const ROOMY = { maxPushBytes: 1_000_000, maxPullBytes: 1_000_000 }
/** A little more than the largest commit of a run takes. */
const COMMIT_BYTES = 2_200
const TIGHT = { maxPushBytes: COMMIT_BYTES + 512, maxPullBytes: 700 }

export function planOf(seed: number, storage: StorageKind): Plan {
  const random = new Random(seed)
  const left = new Set([
    ...(random.happens(0.25) ? [] : DEVICE_RESTORES),
    ...(random.happens(0.2) ? [] : SERVER_RESTORES),
  ])
  const kinds = (Object.keys(WEIGHTS) as ActionKind[]).filter(kind => !left.has(kind))
  const drawn = kinds.flatMap(kind => Array.from({ length: WEIGHTS[kind] }, () => kind))
  const devices = 2 + random.below(2)
  const count = 30 + random.below(31)
  const limits = random.happens(0.3) ? TIGHT : ROOMY
  return {
    seed,
    storage,
    devices,
    limits,
    proxyBytes: random.happens(0.5) ? COMMIT_BYTES : Number.POSITIVE_INFINITY,
    actions: Array.from({ length: count }, () => ({
      kind: random.pick(drawn),
      device: random.below(devices),
      luck: random.seed(),
      // Often one thing right behind the other, sometimes time for a whole exchange between.
      steps: random.happens(0.3) ? random.below(60) : random.below(10),
    })),
  }
}
