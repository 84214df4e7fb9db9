// In which form the states of snapshots are stored.

import { textOf, utf8 } from '../log/bytes.ts'

/**
 * How states become bytes and come back. States are JSON: what comes back must be equal to what was given, as JSON.
 * A snapshot that was made with a codec of another name is not used.
 */
export type SnapshotCodec = Readonly<{
  name: string
  encode: (content: unknown) => Uint8Array | Promise<Uint8Array>
  /** Bytes are what `encode` gave; may throw all the same. */
  decode: (bytes: Uint8Array<ArrayBuffer>) => unknown
}>

/** JSON text. */
export const jsonCodec: SnapshotCodec = {
  name: 'json',
  encode: content => utf8(JSON.stringify(content)),
  decode: bytes => JSON.parse(textOf(bytes)),
}

/** JSON text, deflated by the browser: for large states, where room matters more than time. */
export const deflatedJsonCodec: SnapshotCodec = {
  name: 'json-deflated',
  encode: content => through(new CompressionStream('deflate-raw'), utf8(JSON.stringify(content))),
  decode: async bytes => JSON.parse(textOf(await through(new DecompressionStream('deflate-raw'), bytes))),
}

async function through(
  transform: ReadableWritablePair<Uint8Array, BufferSource>,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<Uint8Array<ArrayBuffer>> {
  const stream = new Blob([bytes]).stream().pipeThrough(transform)
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer())
}
