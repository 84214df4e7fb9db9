// Standard Base 64 with padding (RFC 4648 section 4), straight from bytes to bytes: no text in between.

const ALPHABET = new TextEncoder().encode('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const PAD = 0x3d
const NO_DIGIT = 0xff
const DIGIT_OF = new Uint8Array(256).fill(NO_DIGIT)
for (const [digit, code] of ALPHABET.entries()) DIGIT_OF[code] = digit

/** How many bytes `length` bytes take in Base 64. */
export const base64Length = (length: number): number => Math.ceil(length / 3) * 4

/** Writes `bytes` in Base 64 into `target`, from `at` on. */
export function writeBase64(bytes: Uint8Array, target: Uint8Array, at: number): void {
  const whole = bytes.length - (bytes.length % 3)
  let to = at
  for (let i = 0; i < whole; i += 3) {
    const group = (bytes[i]! << 16) | (bytes[i + 1]! << 8) | bytes[i + 2]!
    target[to++] = ALPHABET[group >> 18]!
    target[to++] = ALPHABET[(group >> 12) & 63]!
    target[to++] = ALPHABET[(group >> 6) & 63]!
    target[to++] = ALPHABET[group & 63]!
  }
  const left = bytes.length - whole
  if (left === 0) return
  const group = (bytes[whole]! << 16) | ((bytes[whole + 1] ?? 0) << 8)
  target[to++] = ALPHABET[group >> 18]!
  target[to++] = ALPHABET[(group >> 12) & 63]!
  target[to++] = left === 2 ? ALPHABET[(group >> 6) & 63]! : PAD
  target[to] = PAD
}

/** Null for what is no Base 64, or not its only spelling. */
export function readBase64(text: Uint8Array): Uint8Array<ArrayBuffer> | null {
  const { length } = text
  if (length % 4 !== 0) return null
  const padding = text[length - 1] === PAD ? (text[length - 2] === PAD ? 2 : 1) : 0
  const bytes = new Uint8Array((length / 4) * 3 - padding)
  let to = 0
  for (let i = 0; i < length; i += 4) {
    const isLast = i + 4 === length
    const a = DIGIT_OF[text[i]!]!
    const b = DIGIT_OF[text[i + 1]!]!
    const c = isLast && padding === 2 ? 0 : DIGIT_OF[text[i + 2]!]!
    const d = isLast && padding > 0 ? 0 : DIGIT_OF[text[i + 3]!]!
    if (a > 63 || b > 63 || c > 63 || d > 63) return null
    const group = (a << 18) | (b << 12) | (c << 6) | d
    bytes[to++] = group >> 16
    if (to < bytes.length) bytes[to++] = (group >> 8) & 255
    else if ((group & 0xffff) !== 0) return null
    if (to < bytes.length) bytes[to++] = group & 255
    else if (isLast && padding === 1 && (group & 0xff) !== 0) return null
  }
  return bytes
}
