// What of the platform would differ from run to run, replaced for as long as a run lasts: time, randomness, and work
// that other threads do.

import { createHash } from 'node:crypto'
import type { FakeClock } from '../sync/fake-clock.ts'
import type { Random } from './random.ts'

/** @returns puts everything back. */
export function ownGlobals(clock: FakeClock, random: Random): () => void {
  const started = clock.now()
  const undo = [
    replace(globalThis, {
      setTimeout: clock.setTimeout,
      clearTimeout: clock.clearTimeout,
      ...intervalsOf(clock),
    }),
    replace(Date, { now: clock.now }),
    replace(performance, { now: () => clock.now() - started }),
    replace(Math, { random: random.next }),
    replace(globalThis.crypto, {
      getRandomValues: (bytes: Uint8Array) => fill(bytes, random),
      randomUUID: () => randomUuid(random),
    }),
    // Digests of other threads come when they come: these are there at once.
    replace(globalThis.crypto.subtle, {
      digest: async (_algorithm: string, bytes: Uint8Array) =>
        new Uint8Array(createHash('sha256').update(bytes).digest()).buffer,
    }),
    replace(WebAssembly, {
      instantiate: async (module: WebAssembly.Module, imports: WebAssembly.Imports = {}) =>
        new WebAssembly.Instance(module, imports),
    }),
  ]
  return () => {
    for (const one of undo) one()
  }
}

/** Of the run, too, but not what decides it: then a draw more or less in the engine changes no schedule. */
export function randomUuid(random: Random): string {
  const hex = [...fill(new Uint8Array(16), random)].map(byte => byte.toString(16).padStart(2, '0')).join('')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`
}

function fill(bytes: Uint8Array, random: Random): Uint8Array {
  for (let i = 0; i < bytes.length; i++) bytes[i] = random.below(256)
  return bytes
}

function intervalsOf(clock: FakeClock) {
  type Interval = { timer: unknown }
  return {
    setInterval(callback: () => void, delayMs: number): Interval {
      const interval: Interval = { timer: null }
      const beat = () => {
        interval.timer = clock.setTimeout(beat, delayMs)
        callback()
      }
      interval.timer = clock.setTimeout(beat, delayMs)
      return interval
    },
    clearInterval(interval: Interval | undefined): void {
      if (interval) clock.clearTimeout(interval.timer)
    },
  }
}

function replace(target: object, values: Record<string, unknown>): () => void {
  const before = Object.keys(values).map(key => [key, Object.getOwnPropertyDescriptor(target, key)] as const)
  for (const [key, value] of Object.entries(values)) {
    Object.defineProperty(target, key, { value, configurable: true, writable: true })
  }
  return () => {
    for (const [key, descriptor] of before) {
      if (descriptor) Object.defineProperty(target, key, descriptor)
      else Reflect.deleteProperty(target, key)
    }
  }
}
