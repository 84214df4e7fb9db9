// A bound on calls that may never settle: browsers have been seen to leave IndexedDB requests hanging for ever.

import { StorageFailed, type StorageProblem } from '../../log/errors.ts'

export type Deadline = Readonly<{ ms: number; problem: StorageProblem; message: string }>

/** Settles as `work` does, or throws `StorageFailed` when the deadline has passed. `work` itself goes on. */
export function settleWithin<T>(work: Promise<T>, { ms, problem, message }: Deadline): Promise<T> {
  let timer: ReturnType<typeof setTimeout>
  const expired = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new StorageFailed(problem, message)), ms)
  })
  return Promise.race([work, expired]).finally(() => clearTimeout(timer))
}
