// SHA-256 by the own WebAssembly module (assembly/): inputs go through its memory a window at a time.

import { type DigestLinks, HASH_BYTES } from '../hash-provider.ts'
import { MODULE } from './module.generated.ts'
import { checkInputs, type SyncDigests } from './sync-digests.ts'

/** What assembly/sha256.ts exports: addresses, sizes and functions. */
type Sha256Module = Readonly<{
  memory: WebAssembly.Memory
  windowBytes: WebAssembly.Global<'i32'>
  windowInputs: WebAssembly.Global<'i32'>
  inputs: WebAssembly.Global<'i32'>
  ends: WebAssembly.Global<'i32'>
  sources: WebAssembly.Global<'i32'>
  holes: WebAssembly.Global<'i32'>
  digests: WebAssembly.Global<'i32'>
  hashIndependent(count: number): void
  hashLinked(count: number): void
  beginLarge(): void
  addLarge(blocks: number): void
  endLarge(bytes: number, totalBytes: number): void
}>

type Job = Readonly<{
  bytes: Uint8Array
  ends: Uint32Array
  links: DigestLinks | undefined
  digests: Uint8Array<ArrayBuffer>
}>

const BLOCK_BYTES = 64

/** Shared by all stores of a thread, so that what the engine has optimised for one is so for the next. */
let compiled: Promise<WebAssembly.Module> | undefined

/** @throws where the platform has no SIMD, or forbids WebAssembly. */
export async function createSimdSha256(): Promise<SyncDigests> {
  compiled ??= WebAssembly.compile(Uint8Array.from(atob(MODULE), char => char.charCodeAt(0)))
  const { exports } = await WebAssembly.instantiate(await compiled)
  return new SimdSha256(exports as Sha256Module)
}

class SimdSha256 implements SyncDigests {
  readonly #module: Sha256Module
  // Views of the module's memory, which never grows.
  readonly #inputs: Uint8Array
  readonly #ends: Int32Array
  readonly #sources: Int32Array
  readonly #holes: Int32Array
  readonly #digests: Uint8Array

  constructor(module: Sha256Module) {
    const { buffer } = module.memory
    const room = module.windowInputs.value
    this.#module = module
    this.#inputs = new Uint8Array(buffer, module.inputs.value, module.windowBytes.value)
    this.#ends = new Int32Array(buffer, module.ends.value, room)
    this.#sources = new Int32Array(buffer, module.sources.value, room)
    this.#holes = new Int32Array(buffer, module.holes.value, room)
    this.#digests = new Uint8Array(buffer, module.digests.value, room * HASH_BYTES)
  }

  digest(bytes: Uint8Array): Uint8Array {
    if (bytes.length > this.#inputs.length) {
      this.#hashLarge(bytes)
    } else {
      this.#inputs.set(bytes)
      this.#ends[0] = bytes.length
      this.#module.hashIndependent(1)
    }
    return this.#digests.slice(0, HASH_BYTES)
  }

  digestMany(bytes: Uint8Array, ends: Uint32Array): Uint8Array<ArrayBuffer> {
    return this.#digestAll(bytes, ends, undefined)
  }

  digestLinked(bytes: Uint8Array, ends: Uint32Array, links: DigestLinks): Uint8Array<ArrayBuffer> {
    return this.#digestAll(bytes, ends, links)
  }

  #digestAll(bytes: Uint8Array, ends: Uint32Array, links: DigestLinks | undefined): Uint8Array<ArrayBuffer> {
    checkInputs(bytes, ends, links)
    const job = { bytes, ends, links, digests: new Uint8Array(ends.length * HASH_BYTES) }
    let next = 0
    while (next < ends.length) next = this.#hashWindow(job, next)
    return job.digests
  }

  /** Hashes inputs from one on, as many as a window has room for. Returns the number of the next one. */
  #hashWindow(job: Job, first: number): number {
    const { bytes, ends, links, digests } = job
    const start = first === 0 ? 0 : ends[first - 1]!
    let next = first
    while (next < ends.length && next - first < this.#ends.length) {
      if (ends[next]! - start > this.#inputs.length) break
      this.#ends[next - first] = ends[next]! - start
      if (links) this.#setLink(links, next, { first, start })
      next++
    }
    // What has no room in a window goes alone, in parts.
    const isLarge = next === first
    if (isLarge) next++
    if (links) fillHoles(job, links, { first, next })
    const inputs = bytes.subarray(start, ends[next - 1])
    if (isLarge) {
      this.#hashLarge(inputs)
    } else {
      this.#inputs.set(inputs)
      if (links) this.#module.hashLinked(next - first)
      else this.#module.hashIndependent(next - first)
    }
    digests.set(this.#digests.subarray(0, (next - first) * HASH_BYTES), first * HASH_BYTES)
    return next
  }

  #setLink({ sources, holes }: DigestLinks, i: number, window: { first: number; start: number }): void {
    // Negative where the source lies before the window.
    this.#sources[i - window.first] = sources[i]! - window.first
    this.#holes[i - window.first] = holes[i]! - window.start
  }

  /** Leaves the digest where that of a window's first input is. */
  #hashLarge(bytes: Uint8Array): void {
    const room = this.#inputs.length
    this.#module.beginLarge()
    let at = 0
    for (; bytes.length - at > room; at += room) {
      this.#inputs.set(bytes.subarray(at, at + room))
      this.#module.addLarge(room / BLOCK_BYTES)
    }
    this.#inputs.set(bytes.subarray(at))
    this.#module.endLarge(bytes.length - at, bytes.length)
  }
}

/** Copies digests of earlier windows into the inputs of this one that hold them. */
function fillHoles(
  { bytes, digests }: Job,
  { sources, holes }: DigestLinks,
  window: { first: number; next: number },
): void {
  for (let i = window.first; i < window.next; i++) {
    const source = sources[i]!
    if (source === -1 || source >= window.first) continue
    bytes.set(digests.subarray(source * HASH_BYTES, (source + 1) * HASH_BYTES), holes[i])
  }
}
