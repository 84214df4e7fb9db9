// Time as sync sees it: passed in, so that tests and the simulator own it.

export type TimerId = unknown

export type Clock = Readonly<{
  /** Milliseconds since the Unix epoch. */
  now: () => number
  setTimeout: (callback: () => void, delayMs: number) => TimerId
  clearTimeout: (timer: TimerId) => void
}>

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delayMs) => setTimeout(callback, delayMs),
  clearTimeout: timer => clearTimeout(timer as ReturnType<typeof setTimeout>),
}
