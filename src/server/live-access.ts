// Whose a stream is, asked again while it lives.

import { type Access, type Authorize, readsAsMuch } from './access.ts'
import type { AccessNow } from './server-io.ts'

export type LiveAccessOptions = Readonly<{
  request: Request
  /** What it was opened with: less than that is not enough any more. */
  access: Access
  authorize: Authorize
  /** Told when it could not be known. */
  onError: (error: unknown) => void
}>

export function liveAccess({
  request,
  access: before,
  authorize,
  onError,
}: LiveAccessOptions): () => Promise<AccessNow> {
  // Its headers alone: a body would be held as long as the stream.
  const { url, headers } = request
  const asked = new Request(url, { headers })
  return async () => {
    try {
      const access = await authorize(asked)
      if (!access) return null
      const { storeId, expiresAt = null } = access
      return { storeId, read: readsAsMuch(access, before), expiresAt }
    } catch (error) {
      onError(error)
      return 'unknown'
    }
  }
}
