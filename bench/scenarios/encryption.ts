// Encryption: appends and a replay from the first event, in clear and encrypted, one after the other.

import { timed } from '../page/clock.ts'
import { assertFolded, importEvents, openBenchStore, openEncryptingStore, type Store } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'

const EVENTS = 50_000

export const scenario: Scenario = {
  title: 'Encryption',
  rounds: 3,
  async measure({ round, scaled }) {
    const count = scaled(EVENTS)
    const clear = await figuresOf(`clear-${round}`, openBenchStore, count)
    const encrypted = await figuresOf(`encrypted-${round}`, openEncryptingStore, count)
    return [
      { name: 'append, in clear', unit: 'µs', value: clear.append },
      { name: 'append, encrypted', unit: 'µs', value: encrypted.append },
      { name: 'replay, in clear', unit: 'µs', value: clear.replay },
      { name: 'replay, encrypted', unit: 'µs', value: encrypted.replay },
    ]
  },
}

/** For each event: appended in batches of a thousand, and folded from the first one in a store that was just opened. */
async function figuresOf(storeId: string, open: (storeId: string) => Promise<Store>, count: number) {
  const store = await open(storeId)
  await store.keys.add('all', crypto.getRandomValues(new Uint8Array(32)))
  const appendMs = await importEvents(store, count)
  await store.close()
  const again = await open(storeId)
  try {
    const replayMs = await timed(async () => {
      assertFolded(await again.projection('total').get('all'), count)
    })
    return { append: (appendMs * 1_000) / count, replay: (replayMs * 1_000) / count }
  } finally {
    await again.close()
  }
}
