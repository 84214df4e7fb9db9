// Whether a stream may live on: whose it is is asked again at an interval, and when the credentials end.

import type { Access, Authorize } from './access.ts'

/** Why a stream is ended by the server: the credentials are not valid any more, or give no right to read this store. */
export type EndReason = 'unauthenticated' | 'forbidden'

export type LiveAccessOptions = Readonly<{
  request: Request
  access: Access
  authorize: Authorize
  recheckMs: number
  /** Told when it could not be known. */
  onError: (error: unknown) => void
}>

export class LiveAccess {
  readonly #options: LiveAccessOptions
  /** Its headers alone: a body would be held as long as the stream. */
  readonly #request: Request
  #expiresAt: number
  #recheckAt: number

  constructor(options: LiveAccessOptions) {
    this.#options = options
    const { url, headers } = options.request
    this.#request = new Request(url, { headers })
    this.#expiresAt = options.access.expiresAt ?? Number.POSITIVE_INFINITY
    this.#recheckAt = Date.now() + options.recheckMs
  }

  /** Milliseconds until `check` has something to do. */
  dueInMs(): number {
    return Math.max(0, Math.min(this.#expiresAt, this.#recheckAt) - Date.now())
  }

  /** Null while it may go on; so it is, too, while nobody knows, but never past the end of the credentials. */
  async check(): Promise<EndReason | null> {
    if (this.dueInMs() > 0) return null
    this.#recheckAt = Date.now() + this.#options.recheckMs
    const access = await this.#ask()
    if (access === null) return 'unauthenticated'
    if (!access.read || access.storeId !== this.#options.access.storeId) return 'forbidden'
    this.#expiresAt = access.expiresAt ?? Number.POSITIVE_INFINITY
    return this.#expiresAt > Date.now() ? null : 'unauthenticated'
  }

  async #ask(): Promise<Access | null> {
    const { authorize, access, onError } = this.#options
    try {
      return await authorize(this.#request)
    } catch (error) {
      onError(error)
      return { ...access, expiresAt: this.#expiresAt }
    }
  }
}
