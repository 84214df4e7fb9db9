// Random bytes, drawn for many uses at once: a draw costs more than most of what the bytes are for.

/** `getRandomValues` gives no more in one call. */
const MAX_DRAW = 65_536

const pool = new Uint8Array(4096)
let used = pool.length

/** Fills `target` with bytes of the platform's cryptographic generator. */
export function fillRandom(target: Uint8Array<ArrayBuffer>): void {
  if (target.length > pool.length) {
    for (let at = 0; at < target.length; at += MAX_DRAW) {
      crypto.getRandomValues(target.subarray(at, at + MAX_DRAW))
    }
    return
  }
  if (used + target.length > pool.length) {
    crypto.getRandomValues(pool)
    used = 0
  }
  for (let i = 0; i < target.length; i++) {
    target[i] = pool[used]!
    // What was given away is not kept.
    pool[used++] = 0
  }
}
