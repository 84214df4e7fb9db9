// Work that one tab does for all, and that need not be done by another when it is busy with it.

/** Runs `work` unless another tab does just now, known by a Web Lock. Without Web Locks every tab does. */
export async function runInOneTab(name: string, work: () => Promise<void>): Promise<void> {
  const locks = globalThis.navigator?.locks
  if (!locks) return work()
  let isAnswered = false
  const runIfFree = async (lock: Lock | null): Promise<void> => {
    isAnswered = true
    if (lock) await work()
  }
  try {
    await locks.request(name, { ifAvailable: true }, runIfFree)
  } catch (error) {
    // Some origins have locks and may not use them.
    if (isAnswered) throw error
    await work()
  }
}
