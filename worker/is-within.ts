// Waits that end.

/** Whether the work was done in time. What it does is given up then. */
export async function isWithin(ms: number, work: (signal: AbortSignal) => Promise<void>): Promise<boolean> {
  const life = new AbortController()
  const timer = new Promise<boolean>(resolve => {
    const timeout = setTimeout(() => resolve(false), ms)
    life.signal.addEventListener('abort', () => clearTimeout(timeout), { once: true })
  })
  const done = work(life.signal).then(() => true)
  // Nobody waits for what is given up.
  done.catch(() => {})
  try {
    return await Promise.race([done, timer])
  } finally {
    life.abort()
  }
}
