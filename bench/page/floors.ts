// What the parts of an append and of a replay cost on this machine with no store around them.

/** Microseconds an event, measured on a worker's thread. */
export type Floors = Readonly<{
  /** `JSON.stringify` of one event's data. */
  stringify: number
  /** `JSON.parse` of a block's data in one go. */
  parse: number
  /** SHA-256 by hash-wasm, one event at a time. */
  shaEach: number
  /** SHA-256 by the store's own provider, many at a time. */
  shaMany: number
  /** SHA-256 by WebCrypto over a whole block. */
  shaBlock: number
  /** A block put in a relaxed transaction of its own, one after the other. */
  put: number
  /** Blocks read back by one `getAll`. */
  get: number
}>

export function measureFloors(events: number): Promise<Floors> {
  const worker = new Worker(new URL('./floors-worker.ts', import.meta.url), { type: 'module' })
  const measured = new Promise<Floors>((resolve, reject) => {
    worker.onmessage = ({ data }: MessageEvent<Floors>) => resolve(data)
    worker.onerror = ({ message }) => reject(new Error(message))
  })
  worker.postMessage(events)
  return measured.finally(() => worker.terminate())
}

/** Events a second when each part is done once and nothing beside another. An event is hashed twice: body and entry. */
export function appendFloor({ stringify, shaMany, shaBlock, put }: Floors): number {
  return 1e6 / (stringify + 2 * shaMany + shaBlock + put)
}

export function replayFloor({ get, shaBlock, parse }: Floors): number {
  return 1e6 / (get + shaBlock + parse)
}

export function warmReplayFloor({ parse }: Floors): number {
  return 1e6 / parse
}

export function verifyFloor({ get, shaMany, shaBlock }: Floors): number {
  return 1e6 / (get + 2 * shaMany + shaBlock)
}
