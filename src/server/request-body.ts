// Reads a request's body up to a bound. A length that a client names is believed only where it is too large already.

import { HttpFailure } from './http-failure.ts'

/**
 * @throws {@link HttpFailure} 413 as soon as the bound is passed, 415 for another or a packed content, 400 when
 * the client goes away before the end.
 */
export async function readBody(
  request: Request,
  maxBytes: number,
  contentType = 'application/octet-stream',
): Promise<Uint8Array> {
  checkContent(request.headers, contentType)
  if (Number(request.headers.get('content-length')) > maxBytes) throw tooLarge(maxBytes)
  const chunks: Uint8Array[] = []
  let length = 0
  for await (const chunk of chunksOf(request)) {
    length += chunk.length
    if (length > maxBytes) throw tooLarge(maxBytes)
    chunks.push(chunk)
  }
  return joined(chunks, length)
}

function checkContent(headers: Headers, wanted: string): void {
  const type = headers.get('content-type')?.split(';')[0]?.trim().toLowerCase()
  if (type !== wanted) throw new HttpFailure(415, 'content-type', `Send ${wanted}`)
  // A packed body can grow without bound when it is unpacked.
  const encoding = headers.get('content-encoding')
  if (encoding && encoding !== 'identity') {
    throw new HttpFailure(415, 'content-encoding', 'Send the body as it is')
  }
}

async function* chunksOf({ body }: Request): AsyncGenerator<Uint8Array> {
  if (body === null) return
  const reader: ReadableStreamDefaultReader<Uint8Array> = body.getReader()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      yield value
    }
  } catch {
    throw new HttpFailure(400, 'incomplete', 'The body broke off')
  } finally {
    // Not awaited: of a body that somebody else has a copy of, it ends only when they cancel theirs.
    reader.cancel().catch(() => {})
  }
}

function tooLarge(maxBytes: number): HttpFailure {
  return new HttpFailure(413, 'too-large', `A request may have ${maxBytes} bytes. Send less at once`, {
    maxBytes,
  })
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}
