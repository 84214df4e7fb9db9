// SHA-256's compression function (FIPS 180-4, section 6.2.2), for four inputs in step or for one of them alone.

export const BLOCK_BYTES = 64
const LANES = 4

/** Bytes of one word of all four lanes. */
const ROW = 16
const ROUNDS = 64

const initial: usize = memory.data<u32>([
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
])

const constants: usize = memory.data<u32>([
  0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98,
  0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786,
  0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8,
  0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13,
  0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819,
  0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a,
  0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
  0xc67178f2,
])

/** A row for each of the eight words of the state. */
const state: usize = memory.data(8 * ROW, 16)
/** A row for each word of the message schedules of four blocks: as it is, and with the round's constant added. */
const schedule: usize = memory.data(ROUNDS * ROW, 16)
const scheduleAndConstants: usize = memory.data(ROUNDS * ROW, 16)

/** Makes a lane ready for the first block of an input. */
export function resetLane(lane: i32): void {
  for (let word = 0; word < 8; word++) store<u32>(wordOf(word, lane), load<u32>(initial + word * 4))
}

/** Writes the state of a lane, which is the digest once the last block is compressed. */
export function storeDigest(lane: i32, to: usize): void {
  for (let word = 0; word < 8; word++) store<u32>(to + word * 4, bswap(load<u32>(wordOf(word, lane))))
}

function wordOf(word: i32, lane: i32): usize {
  return state + word * ROW + lane * 4
}

/** Takes the same number of blocks into every lane, from where each lane's next one is. */
export function compressLanes(block0: usize, block1: usize, block2: usize, block3: usize, blocks: i32): void {
  for (const end = block0 + blocks * BLOCK_BYTES; block0 < end; ) {
    expand(block0, block1, block2, block3)
    mix<v128>(state, scheduleAndConstants)
    block0 += BLOCK_BYTES
    block1 += BLOCK_BYTES
    block2 += BLOCK_BYTES
    block3 += BLOCK_BYTES
  }
}

/** Takes one to four blocks of one input into its lane. Their schedules are made together, a lane each. */
export function compressAlone(
  lane: i32,
  blocks: i32,
  block0: usize,
  block1: usize,
  block2: usize,
  block3: usize,
): void {
  expand(block0, block1, block2, block3)
  const own = wordOf(0, lane)
  mix<u32>(own, scheduleAndConstants)
  if (blocks > 1) mix<u32>(own, scheduleAndConstants + 4)
  if (blocks > 2) mix<u32>(own, scheduleAndConstants + 8)
  if (blocks > 3) mix<u32>(own, scheduleAndConstants + 12)
}

/** The message schedules of four blocks. */
function expand(block0: usize, block1: usize, block2: usize, block3: usize): void {
  for (let i = 0; i < 16; i += LANES) {
    const x0 = bigEndian(v128.load(block0 + i * 4))
    const x1 = bigEndian(v128.load(block1 + i * 4))
    const x2 = bigEndian(v128.load(block2 + i * 4))
    const x3 = bigEndian(v128.load(block3 + i * 4))
    // Four words of each block become four rows: a transposed matrix.
    const low01 = i32x4.shuffle(x0, x1, 0, 4, 1, 5)
    const low23 = i32x4.shuffle(x2, x3, 0, 4, 1, 5)
    const high01 = i32x4.shuffle(x0, x1, 2, 6, 3, 7)
    const high23 = i32x4.shuffle(x2, x3, 2, 6, 3, 7)
    setRow(i, i64x2.shuffle(low01, low23, 0, 2))
    setRow(i + 1, i64x2.shuffle(low01, low23, 1, 3))
    setRow(i + 2, i64x2.shuffle(high01, high23, 0, 2))
    setRow(i + 3, i64x2.shuffle(high01, high23, 1, 3))
  }
  // A word depends on the second one before it: kept in a variable, that does not take the way through memory.
  let even = v128.load(schedule, 14 * ROW)
  let odd = v128.load(schedule, 15 * ROW)
  for (let i = 16; i < ROUNDS; i += 2) {
    even = sum(sumOfOlder(i), s1(even))
    setRow(i, even)
    odd = sum(sumOfOlder(i + 1), s1(odd))
    setRow(i + 1, odd)
  }
}

/** What a word takes from the words 16, 15 and 7 before it. */
function sumOfOlder(i: i32): v128 {
  const before = schedule + (i - 16) * ROW
  return sum(sum(v128.load(before), s0(v128.load(before, ROW))), v128.load(before, 9 * ROW))
}

function setRow(i: i32, row: v128): void {
  v128.store(schedule + i * ROW, row)
  v128.store(scheduleAndConstants + i * ROW, sum(row, v128.load_splat<u32>(constants + i * 4)))
}

/**
 * The 64 rounds: of all lanes where T is v128, of the one lane whose column `own` and `words` point to where it is u32.
 * Variables trade places instead of values, so eight rounds a turn. S1 is added last, since it is known last.
 */
function mix<T>(own: usize, words: usize): void {
  let a = load<T>(own)
  let b = load<T>(own, ROW)
  let c = load<T>(own, 2 * ROW)
  let d = load<T>(own, 3 * ROW)
  let e = load<T>(own, 4 * ROW)
  let f = load<T>(own, 5 * ROW)
  let g = load<T>(own, 6 * ROW)
  let h = load<T>(own, 7 * ROW)
  let t: T
  const end = words + ROUNDS * ROW
  do {
    t = sum(sum(sum(h, load<T>(words)), choice(e, f, g)), S1(e))
    d = sum(d, t)
    h = sum(sum(t, S0(a)), majority(a, b, c))
    t = sum(sum(sum(g, load<T>(words, ROW)), choice(d, e, f)), S1(d))
    c = sum(c, t)
    g = sum(sum(t, S0(h)), majority(h, a, b))
    t = sum(sum(sum(f, load<T>(words, 2 * ROW)), choice(c, d, e)), S1(c))
    b = sum(b, t)
    f = sum(sum(t, S0(g)), majority(g, h, a))
    t = sum(sum(sum(e, load<T>(words, 3 * ROW)), choice(b, c, d)), S1(b))
    a = sum(a, t)
    e = sum(sum(t, S0(f)), majority(f, g, h))
    t = sum(sum(sum(d, load<T>(words, 4 * ROW)), choice(a, b, c)), S1(a))
    h = sum(h, t)
    d = sum(sum(t, S0(e)), majority(e, f, g))
    t = sum(sum(sum(c, load<T>(words, 5 * ROW)), choice(h, a, b)), S1(h))
    g = sum(g, t)
    c = sum(sum(t, S0(d)), majority(d, e, f))
    t = sum(sum(sum(b, load<T>(words, 6 * ROW)), choice(g, h, a)), S1(g))
    f = sum(f, t)
    b = sum(sum(t, S0(c)), majority(c, d, e))
    t = sum(sum(sum(a, load<T>(words, 7 * ROW)), choice(f, g, h)), S1(f))
    e = sum(e, t)
    a = sum(sum(t, S0(b)), majority(b, c, d))
    words += 8 * ROW
  } while (words < end)
  store<T>(own, sum(load<T>(own), a))
  store<T>(own, sum(load<T>(own, ROW), b), ROW)
  store<T>(own, sum(load<T>(own, 2 * ROW), c), 2 * ROW)
  store<T>(own, sum(load<T>(own, 3 * ROW), d), 3 * ROW)
  store<T>(own, sum(load<T>(own, 4 * ROW), e), 4 * ROW)
  store<T>(own, sum(load<T>(own, 5 * ROW), f), 5 * ROW)
  store<T>(own, sum(load<T>(own, 6 * ROW), g), 6 * ROW)
  store<T>(own, sum(load<T>(own, 7 * ROW), h), 7 * ROW)
}

function S0<T>(x: T): T {
  return xor(xor(rotate(x, 2), rotate(x, 13)), rotate(x, 22))
}

function S1<T>(x: T): T {
  return xor(xor(rotate(x, 6), rotate(x, 11)), rotate(x, 25))
}

function s0(x: v128): v128 {
  return xor(xor(rotate(x, 7), rotate(x, 18)), i32x4.shr_u(x, 3))
}

function s1(x: v128): v128 {
  return xor(xor(rotate(x, 17), rotate(x, 19)), i32x4.shr_u(x, 10))
}

/** Bits of y where x has ones, of z where it has zeros. */
function choice<T>(x: T, y: T, z: T): T {
  return xor(z, and(x, xor(y, z)))
}

/** What two of three say, bit by bit. The x ^ y of one round is the y ^ z of the next: compilers keep it. */
function majority<T>(x: T, y: T, z: T): T {
  return xor(and(xor(x, y), xor(y, z)), y)
}

function sum<T>(x: T, y: T): T {
  if (isVector<T>()) return i32x4.add(x, y)
  return x + y
}

function xor<T>(x: T, y: T): T {
  if (isVector<T>()) return v128.xor(x, y)
  return x ^ y
}

function and<T>(x: T, y: T): T {
  if (isVector<T>()) return v128.and(x, y)
  return x & y
}

function rotate<T>(x: T, bits: i32): T {
  if (isVector<T>()) return v128.or(i32x4.shr_u(x, bits), i32x4.shl(x, 32 - bits))
  return rotr(x, bits)
}

function bigEndian(x: v128): v128 {
  return i8x16.shuffle(x, x, 3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12)
}
