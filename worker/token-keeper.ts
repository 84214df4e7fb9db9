// The token of this tab: the one that was given, or what comes for it once the server refuses it.

import type { TokenSource } from '../src/sync/authorized-fetch.ts'

export type TokenKeeperOptions = Readonly<{
  /** A source of the application's own is asked for each request, and again when its token is refused. */
  token: string | TokenSource | undefined
  /** Asks the page for another token. Null when it has none. */
  renew: () => Promise<string | null>
  onRenewed: (token: string) => void
}>

export class TokenKeeper {
  readonly #options: TokenKeeperOptions
  #token: string | TokenSource | null
  #renewing: Promise<string | null> | null = null

  constructor(options: TokenKeeperOptions) {
    this.#options = options
    this.#token = options.token ?? null
  }

  set(token: string): void {
    this.#token = token
  }

  readonly source: TokenSource = refused => {
    if (typeof this.#token === 'function') return this.#token(refused)
    // Another one has come since the request was sent.
    if (this.#token !== null && this.#token !== refused) return this.#token
    // Once for all who ask meanwhile: a refresh token may be good for one use.
    this.#renewing ??= this.#renew(this.#token).finally(() => {
      this.#renewing = null
    })
    return this.#renewing
  }

  async #renew(refused: string | null): Promise<string | null> {
    const fresh = await this.#options.renew()
    // The application has set one in the meantime.
    if (this.#token !== refused) return this.source(null)
    if (fresh === null || fresh === refused) return null
    this.#token = fresh
    this.#options.onRenewed(fresh)
    return fresh
  }
}
