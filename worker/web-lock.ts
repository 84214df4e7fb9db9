// Work that one tab at a time does, known by a Web Lock. Without Web Locks it just runs.

export function underLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks
  return locks ? (locks.request(name, work) as Promise<T>) : work()
}

/** Who holds a lock for longer than this, for what takes milliseconds, is frozen. */
const PATIENCE_MS = 20_000

/**
 * As {@link underLock}, for work that is over in a moment: the lock of a tab that was frozen in the middle of it is taken
 * away. What that tab does of it when it thaws must do no harm.
 */
export async function underBriefLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks
  if (!locks) return work()
  let working: Promise<T> | null = null
  const patience = new AbortController()
  const timer = setTimeout(() => patience.abort(), PATIENCE_MS)
  const run = (): Promise<T> => {
    clearTimeout(timer)
    working = work()
    return working
  }
  try {
    return await locks.request(name, { signal: patience.signal }, run)
  } catch (error) {
    if (working) return working
    if (!patience.signal.aborted) throw error
    const stolen = locks.request(name, { steal: true }, run)
    return await stolen.catch(thrown => working ?? Promise.reject(thrown))
  } finally {
    clearTimeout(timer)
  }
}
