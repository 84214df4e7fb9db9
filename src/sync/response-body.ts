// Reads a response to its end, but never past a bound: a server may send without end.

import { orAborted, type Watchdog } from './watchdog.ts'

/** @throws `BodyTooLarge`, or as the connection fails or the watchdog aborts. */
export async function readBody(
  response: Response,
  maxBytes: number,
  watchdog: Watchdog,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunksOf(response, watchdog)) {
    length += chunk.length
    if (length > maxBytes) throw new BodyTooLarge(maxBytes)
    chunks.push(chunk)
  }
  return joined(chunks, length)
}

/** The chunks of a body as they come, each one a sign of life. Leaving the loop early cancels the body. */
export async function* chunksOf(response: Response, watchdog: Watchdog): AsyncGenerator<Uint8Array> {
  if (response.body === null) return
  const reader: ReadableStreamDefaultReader<Uint8Array> = response.body.getReader()
  try {
    for (;;) {
      const { done, value } = await orAborted(reader.read(), watchdog.signal)
      if (done) return
      watchdog.heard()
      yield value
    }
  } finally {
    // Not awaited: a body that hangs may hang in its cancellation too. After its end this does nothing.
    reader.cancel().catch(() => {})
  }
}

export class BodyTooLarge extends Error {
  override readonly name = 'BodyTooLarge'

  constructor(maxBytes: number) {
    super(`The answer is longer than ${maxBytes} bytes`)
  }
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
