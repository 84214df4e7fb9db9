// Work that one tab at a time does, known by a Web Lock. Without Web Locks it just runs.

export function underLock<T>(name: string, work: () => Promise<T>): Promise<T> {
  const locks = globalThis.navigator?.locks
  return locks ? (locks.request(name, work) as Promise<T>) : work()
}
