// SHA-256 of many inputs. Four at a time, a lane each, as long as two or more can go on; where only one can, as in a
// hash chain, it is hashed alone. Of each window of inputs nothing is left that the next one reads.

import { BLOCK_BYTES, compressAlone, compressLanes, resetLane, storeDigest } from './compress'

const HASH_BYTES = 32
const LANES = 4

/** How many bytes a window has room for, and how many inputs. */
export const windowBytes: i32 = 128 * 1024
export const windowInputs: i32 = 2048

/** The inputs, one behind the other. The last one's end is read as a whole block, whatever stands behind it. */
export const inputs: usize = memory.data(windowBytes + BLOCK_BYTES, 16)
/** Where each input ends. */
export const ends: usize = memory.data(windowInputs * 4, 16)
/** Of linked inputs: which one's digest the input holds, negative for none of this window, and where it goes. */
export const sources: usize = memory.data(windowInputs * 4, 16)
export const holes: usize = memory.data(windowInputs * 4, 16)
/** The digests, in the order of the inputs. */
export const digests: usize = memory.data(windowInputs * HASH_BYTES, 16)

/** A queue of inputs that hold nothing unknown. Each input enters it once. */
const ready: usize = memory.data(windowInputs * 4, 16)
let readyFrom: i32 = 0
let readyTo: i32 = 0

const NONE = -1
/** For each input, the first of those that hold its digest; for each of these, the next one. */
const firstHolder: usize = memory.data(windowInputs * 4, 16)
const nextHolder: usize = memory.data(windowInputs * 4, 16)

/** For each lane: its input or NONE, its next block, how many are left, and how many of these stand in the input. */
const inputOf: usize = memory.data(LANES * 4, 16)
const blockOf: usize = memory.data(LANES * 4, 16)
const leftOf: usize = memory.data(LANES * 4, 16)
const wholeOf: usize = memory.data(LANES * 4, 16)
const TAIL_BYTES = 2 * BLOCK_BYTES
/** For each lane, the padded end of its input: one block or two. */
const tails: usize = memory.data(LANES * TAIL_BYTES, 16)

export function hashIndependent(count: i32): void {
  for (let input = 0; input < count; input++) {
    put(ready, input, input)
    put(firstHolder, input, NONE)
  }
  readyFrom = 0
  readyTo = count
  hashReady()
}

export function hashLinked(count: i32): void {
  readyFrom = 0
  readyTo = 0
  for (let input = 0; input < count; input++) {
    put(firstHolder, input, NONE)
    const source = at(sources, input)
    if (source < 0) {
      put(ready, readyTo++, input)
    } else {
      put(nextHolder, input, at(firstHolder, source))
      put(firstHolder, source, input)
    }
  }
  hashReady()
}

/** An input larger than a window: begin, whole blocks as often as needed, and what is left. */
export function beginLarge(): void {
  resetLane(0)
}

export function addLarge(blocks: i32): void {
  put(blockOf, 0, inputs as i32)
  put(leftOf, 0, blocks)
  put(wholeOf, 0, blocks)
  finishAlone(0)
}

/** Writes the digest as that of input 0. `totalBytes` with all that was added before. */
export function endLarge(bytes: i32, totalBytes: f64): void {
  place(0, inputs, bytes, totalBytes as u64)
  finishAlone(0)
  storeDigest(0, digests)
}

function hashReady(): void {
  for (let lane = 0; lane < LANES; lane++) put(inputOf, lane, NONE)
  for (;;) {
    let active = 0
    let some = 0
    let blocks = i32.MAX_VALUE
    for (let lane = 0; lane < LANES; lane++) {
      if (at(inputOf, lane) === NONE) {
        // What an idle lane computes is of no use, but it reads memory, which must be there.
        put(blockOf, lane, inputs as i32)
        if (readyFrom === readyTo) continue
        begin(lane, at(ready, readyFrom++))
      }
      active++
      some = lane
      blocks = min(blocks, inOnePiece(lane))
    }
    if (active === 0) return
    if (active === 1) {
      finishAlone(some)
      end(some)
    } else {
      compressLanes(at(blockOf, 0), at(blockOf, 1), at(blockOf, 2), at(blockOf, 3), blocks)
      for (let lane = 0; lane < LANES; lane++) if (at(inputOf, lane) !== NONE) advance(lane, blocks)
    }
  }
}

function begin(lane: i32, input: i32): void {
  const from = input === 0 ? 0 : at(ends, input - 1)
  const bytes = at(ends, input) - from
  put(inputOf, lane, input)
  resetLane(lane)
  place(lane, inputs + from, bytes, bytes)
}

/** Sets out the blocks of an input, or of the end of one. */
function place(lane: i32, start: usize, bytes: i32, totalBytes: u64): void {
  const whole = bytes / BLOCK_BYTES
  const tail = tailOf(lane)
  const tailBlocks = pad(tail, start + whole * BLOCK_BYTES, bytes % BLOCK_BYTES, totalBytes)
  put(blockOf, lane, (whole > 0 ? start : tail) as i32)
  put(leftOf, lane, whole + tailBlocks)
  put(wholeOf, lane, whole)
}

/** Writes what is left of the input, a one bit, zeros and the length in bits. Returns how many blocks that makes. */
function pad(tail: usize, rest: usize, restBytes: i32, totalBytes: u64): i32 {
  for (let i = 0; i < BLOCK_BYTES; i += 16) v128.store(tail + i, v128.load(rest + i))
  const behind = tail + restBytes
  // Enough for two blocks too: the first then holds 56 bytes or more, and the length takes the last eight.
  for (let i = 0; i < BLOCK_BYTES; i += 16) v128.store(behind + i, i32x4.splat(0))
  store<u8>(behind, 0x80)
  const blocks = restBytes + 1 + 8 <= BLOCK_BYTES ? 1 : 2
  store<u64>(tail + blocks * BLOCK_BYTES - 8, bswap(totalBytes * 8))
  return blocks
}

/** How many blocks of a lane stand one behind the other. */
function inOnePiece(lane: i32): i32 {
  const whole = at(wholeOf, lane)
  return whole > 0 ? whole : at(leftOf, lane)
}

/** Passes by blocks that stand in one piece. */
function advance(lane: i32, blocks: i32): void {
  const left = at(leftOf, lane) - blocks
  if (left === 0) {
    end(lane)
    return
  }
  const whole = at(wholeOf, lane) - blocks
  put(leftOf, lane, left)
  put(wholeOf, lane, whole)
  put(blockOf, lane, whole === 0 ? (tailOf(lane) as i32) : at(blockOf, lane) + blocks * BLOCK_BYTES)
}

function finishAlone(lane: i32): void {
  const tail = tailOf(lane)
  let block0: usize = at(blockOf, lane)
  let whole = at(wholeOf, lane)
  for (let left = at(leftOf, lane); left > 0; left -= 4) {
    const block1 = whole === 1 ? tail : block0 + BLOCK_BYTES
    const block2 = whole === 2 ? tail : block1 + BLOCK_BYTES
    const block3 = whole === 3 ? tail : block2 + BLOCK_BYTES
    compressAlone(lane, left, block0, block1, block2, block3)
    block0 = whole === 4 ? tail : block3 + BLOCK_BYTES
    whole -= 4
  }
}

/** Gives the digest out, also to the inputs that hold it, which may then be hashed. */
function end(lane: i32): void {
  const input = at(inputOf, lane)
  const digest = digests + input * HASH_BYTES
  storeDigest(lane, digest)
  put(inputOf, lane, NONE)
  for (let holder = at(firstHolder, input); holder !== NONE; holder = at(nextHolder, holder)) {
    const hole = inputs + at(holes, holder)
    v128.store(hole, v128.load(digest))
    v128.store(hole, v128.load(digest, 16), 16)
    put(ready, readyTo++, holder)
  }
}

function tailOf(lane: i32): usize {
  return tails + lane * TAIL_BYTES
}

function at(array: usize, i: i32): i32 {
  return load<i32>(array + i * 4)
}

function put(array: usize, i: i32, value: i32): void {
  store<i32>(array + i * 4, value)
}
