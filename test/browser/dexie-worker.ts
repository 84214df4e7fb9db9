// Writes rows as the worker of an application does, whenever it is told to.

import { expose } from 'comlink'
import { dexieRows } from '../../src/dexie/index.ts'
import type { RowOperation, RowStep } from '../../src/model/row-store.ts'
import { connect, modelOf } from '../dexie/databases.ts'

const MODELS = { board: modelOf({ cards: 'id, *words' }) }

export type Card = Readonly<{ id: string; words: readonly string[]; n: number }>

export class RowWriter {
  readonly #store

  constructor(name: string) {
    this.#store = dexieRows(connect(name, MODELS))
  }

  open(): Promise<void> {
    return this.#store.open(MODELS)
  }

  async put(...cards: Card[]): Promise<void> {
    const { shown } = await this.#store.progress('board')
    await this.#store.write({ ...toShown, from: shown, to: `${shown}+`, steps: [stepOf(cards)] })
  }

  /** Counts up to a number on a card, whoever else does so: the progress is the number. */
  async count(upTo: number): Promise<void> {
    for (;;) {
      const { shown } = await this.#store.progress('board')
      const next = Number(shown ?? 0) + 1
      if (next > upTo) return
      const steps = [{ position: next, operations: [countUp] }]
      // Where another one was first, it looks again.
      await this.#store.write({ ...toShown, from: shown, to: String(next), steps })
    }
  }

  /** Makes all rows anew, aside, and shows them. */
  async rebuild(...cards: Card[]): Promise<void> {
    const { shown, aside } = await this.#store.progress('board')
    await this.#store.begin({ model: 'board', from: aside, to: 'begun' })
    await this.#store.write({ ...toAside, from: 'begun', to: 'built', steps: [stepOf(cards)] })
    await this.#store.switchOver({ model: 'board', shown, aside: 'built' })
  }
}

const toShown = { model: 'board', side: 'shown', settledThrough: 0 } as const
const toAside = { ...toShown, side: 'aside' } as const

const stepOf = (cards: readonly Card[]): RowStep => ({
  position: 1,
  operations: cards.map(row => ({ table: 'cards', kind: 'put', row })),
})

const countUp: RowOperation = {
  table: 'cards',
  kind: 'upsert',
  key: 'counter',
  change: row => ({ id: 'counter', words: [], n: ((row as Card | undefined)?.n ?? 0) + 1 }),
}

expose(RowWriter)
