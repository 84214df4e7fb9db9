// Whether the server lives, and whether it can serve: for whoever runs it, without a token and without a detail.

/** Longer than this a storage that answers is none. */
const PATIENCE_MS = 5_000
/** Nobody needs a token to ask, so asking must not be a way to keep the storage busy. */
const FRESH_MS = 1_000

export type Health = Readonly<{
  /** 200 as long as requests are answered at all. */
  live: () => Response
  /** 200, or 503 while the storage cannot be reached or the server closes. */
  ready: () => Promise<Response>
  closing: () => void
}>

/** @param check resolves when the storage can be reached */
export function createHealth(check: () => unknown, onError: (error: unknown) => void): Health {
  let isClosing = false
  let last: { at: number; isReady: Promise<boolean> } | null = null

  return {
    live: () => answer(true),
    async ready() {
      if (isClosing) return answer(false)
      if (!last || performance.now() - last.at > FRESH_MS) last = { at: performance.now(), isReady: look() }
      return answer(await last.isReady)
    },
    closing: () => {
      isClosing = true
    },
  }

  async function look(): Promise<boolean> {
    let timer: ReturnType<typeof setTimeout> | undefined
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error('The storage did not answer in time')), PATIENCE_MS)
    })
    try {
      await Promise.race([check(), late])
      return true
    } catch (error) {
      onError(error)
      return false
    } finally {
      clearTimeout(timer)
    }
  }
}

const answer = (isWell: boolean): Response =>
  Response.json({ status: isWell ? 'ok' : 'unavailable' }, { status: isWell ? 200 : 503 })
