// What this machine gives with no store around it: the parts that an append and a replay are made of.

import type { Measurement } from '../measurement.ts'
import { measureFloors } from '../page/floors.ts'
import type { Scenario } from '../scenario.ts'

const EVENTS = 100_000

export const scenario: Scenario = {
  title: 'The limits of the machine, for each event',
  async measure({ scaled }) {
    const floors = await measureFloors(scaled(EVENTS))
    const figures: Measurement[] = [
      { name: 'JSON.stringify of its data', unit: 'µs', value: floors.stringify },
      { name: 'JSON.parse, a block at a time', unit: 'µs', value: floors.parse },
      { name: 'SHA-256 by hash-wasm, one at a time', unit: 'µs', value: floors.shaEach },
      { name: "SHA-256 by the store's provider, many at a time", unit: 'µs', value: floors.shaMany },
      { name: 'SHA-256 by WebCrypto, a block of 56 KiB at a time', unit: 'µs', value: floors.shaBlock },
      { name: 'IndexedDB, a bare block put in a transaction', unit: 'µs', value: floors.put },
      { name: 'IndexedDB, all blocks read by one getAll', unit: 'µs', value: floors.get, against: 'replay' },
    ]
    return figures.map(figure => ({ ...figure, subject: 'the machine' }))
  },
}
