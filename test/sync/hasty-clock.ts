// The system's clock for waits that are a twentieth as long as they are for users.

import { type Clock, systemClock } from '../../src/sync/clock.ts'

const HASTE = 20

export const hastyClock: Clock = {
  ...systemClock,
  setTimeout: (callback, delayMs) => systemClock.setTimeout(callback, delayMs / HASTE),
}
