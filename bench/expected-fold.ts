// What a store must come to when it reads back what was appended: else it is compared for work that it did not do.

import { fold, makeEvents, NOTHING } from './events.ts'
import type { Folded } from './subject.ts'

/** @throws when it is not what the first so many events fold to. */
export function assertFolded(folded: Folded, events: number): void {
  const expected = makeEvents(0, events).reduce(fold, NOTHING)
  if (JSON.stringify(inOrder(folded)) === JSON.stringify(expected)) return
  throw new Error(`It folded to ${JSON.stringify(folded)} instead of ${JSON.stringify(expected)}`)
}

const inOrder = ({ events, quantity, revenue }: Folded): Folded => ({ events, quantity, revenue })
