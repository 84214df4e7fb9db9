// Standard Base 64 with padding (RFC 4648 section 4), one spelling for each value.

/** For short values: hashes, keys, signatures, single entries. */
export function base64Of(bytes: Uint8Array): string {
  let text = ''
  for (const byte of bytes) text += String.fromCharCode(byte)
  return btoa(text)
}

/** Null for what is no Base 64, or not its only spelling. */
export function bytesOfBase64(text: string): Uint8Array<ArrayBuffer> | null {
  let binary: string
  try {
    binary = atob(text)
  } catch {
    return null
  }
  // `atob` takes white space, missing padding and left-over bits: two texts would mean the same bytes.
  return btoa(binary) === text ? Uint8Array.from(binary, char => char.charCodeAt(0)) : null
}
