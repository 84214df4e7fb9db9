// Web Locks for one process, as far as the worker uses them: exclusive, abortable, stealable, or only if free. What is
// asked for as shared is exclusive, too.

type Request = { grant: () => void }
type Holder = { clientId: string; lose: () => void }

export class FakeLocks {
  readonly #queues = new Map<string, Request[]>()
  readonly #holders = new Map<string, Holder>()
  #grants = 0

  readonly request = (name: string, ...rest: unknown[]): Promise<unknown> => {
    const work = rest.at(-1) as (lock: { name: string } | null) => unknown
    const { signal, steal, ifAvailable } = (rest.length > 1 ? rest[0] : {}) as LockOptions
    if (ifAvailable && this.#holders.has(name)) return Promise.resolve(work(null))
    if (steal) this.#holders.get(name)?.lose()
    return new Promise((resolve, reject) => {
      const abort = () => reject(new DOMException('The request was aborted', 'AbortError'))
      if (signal?.aborted) return abort()
      const request: Request = {
        grant: () => {
          const holder: Holder = {
            clientId: `client ${++this.#grants}`,
            lose: () => {
              if (this.#holders.get(name) !== holder) return
              this.#holders.delete(name)
              abort()
            },
          }
          this.#holders.set(name, holder)
          void Promise.resolve(work({ name }))
            .then(resolve, reject)
            .finally(() => this.#release(name, holder))
        },
      }
      const queue = this.#queues.get(name) ?? []
      this.#queues.set(name, queue)
      signal?.addEventListener('abort', () => {
        const place = queue.indexOf(request)
        if (place >= 0) queue.splice(place, 1)
        if (place >= 0) abort()
      })
      if (this.#holders.has(name)) queue.push(request)
      else request.grant()
    })
  }

  /** Each holder counts as a client of its own. */
  readonly query = async (): Promise<LockManagerSnapshot> => ({
    held: [...this.#holders].map(([name, { clientId }]) => ({ name, clientId, mode: 'exclusive' })),
    pending: [],
  })

  isHeld(name: string): boolean {
    return this.#holders.has(name)
  }

  #release(name: string, holder: Holder): void {
    if (this.#holders.get(name) !== holder) return
    this.#holders.delete(name)
    this.#queues.get(name)?.shift()?.grant()
  }
}
