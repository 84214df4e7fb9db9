// Whose a stream is, asked again while it lives.

import type { Authorize } from './access.ts'
import type { AccessNow } from './server-io.ts'

export type LiveAccessOptions = Readonly<{
  request: Request
  authorize: Authorize
  /** Told when it could not be known. */
  onError: (error: unknown) => void
}>

export function liveAccess({ request, authorize, onError }: LiveAccessOptions): () => Promise<AccessNow> {
  // Its headers alone: a body would be held as long as the stream.
  const { url, headers } = request
  const asked = new Request(url, { headers })
  return async () => {
    try {
      const access = await authorize(asked)
      return access && { storeId: access.storeId, read: access.read, expiresAt: access.expiresAt ?? null }
    } catch (error) {
      onError(error)
      return 'unknown'
    }
  }
}
