import 'fake-indexeddb/auto'
import type Dexie from 'dexie'
import type { DBCore, Middleware } from 'dexie'
import fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { dexieRows } from '../../src/dexie/index.ts'
import type {
  RowOperation,
  RowOutcome,
  RowProgress,
  RowSide,
  RowStep,
  RowStore,
} from '../../src/model/row-store.ts'
import { connect, deleteDatabases, freshName, modelOf, shownRows } from './databases.ts'

afterEach(deleteDatabases)

type Card = { id: string; deck: string; n: number }

const MODELS = { board: modelOf({ cards: 'id, deck', marks: '[id+deck]' }) }

// What a database of rows does, without a database: all states that there ever were stay in memory.

type Rows = Readonly<Record<string, Card>>
type State = Readonly<{ cards: Rows; marks: Rows }>

const EMPTY: State = { cards: {}, marks: {} }

class PlainSide {
  progress: RowProgress = null
  settled = 0
  state: State = EMPTY
  /** The state after each position that was written. */
  history: { position: number; after: State }[] = []

  write(steps: readonly RowStep[], to: string, settledThrough: number): void {
    for (const { position, operations } of steps) {
      for (const operation of operations) this.state = applied(this.state, operation)
      this.history.push({ position, after: this.state })
    }
    this.progress = to
    this.settled = Math.max(this.settled, settledThrough)
  }

  rewind(through: number, to: string): void {
    this.history = this.history.filter(({ position }) => position <= through)
    this.state = this.history.at(-1)?.after ?? EMPTY
    this.progress = to
  }
}

function applied(state: State, operation: RowOperation): State {
  const table = operation.table as keyof State
  const rows = { ...state[table] } as Record<string, Card>
  const textOf = (key: unknown): string => String(key)
  const own = (row: Card): string => (table === 'cards' ? row.id : textOf([row.id, row.deck]))
  if (operation.kind === 'put') rows[own(operation.row as Card)] = operation.row as Card
  else if (operation.kind === 'delete') delete rows[textOf(operation.key)]
  else if (operation.kind === 'update-where') {
    for (const [key, row] of Object.entries(rows)) {
      if (row.deck !== operation.value) continue
      const changed = operation.change(row)
      if (changed) rows[key] = changed as Card
      else delete rows[key]
    }
  } else {
    const row = rows[textOf(operation.key)]
    if (operation.kind === 'upsert') rows[textOf(operation.key)] = operation.change(row) as Card
    else if (row) rows[textOf(operation.key)] = operation.change(row) as Card
  }
  return { ...state, [table]: rows }
}

const inOrder = (rows: Rows): Card[] =>
  Object.entries(rows)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, row]) => row)

// What happens.

const id = fc.constantFrom('1', '2', '3')
const deck = fc.constantFrom('x', 'y')
const raised = (row: object): Card => ({ ...(row as Card), n: (row as Card).n + 1 })

const operation: fc.Arbitrary<RowOperation> = fc.oneof(
  fc.record({ id, deck, n: fc.nat(9) }).map(row => ({ table: 'cards', kind: 'put', row }) as const),
  id.map(key => ({ table: 'cards', kind: 'update', key, change: raised }) as const),
  fc.record({ key: id, deck }).map(
    ({ key, deck }) =>
      ({
        table: 'cards',
        kind: 'upsert',
        key,
        change: (row: object | undefined) => (row ? { ...raised(row), deck } : { id: key, deck, n: 0 }),
      }) as const,
  ),
  id.map(key => ({ table: 'cards', kind: 'delete', key }) as const),
  fc.record({ value: deck, to: fc.option(deck) }).map(
    ({ value, to }) =>
      ({
        table: 'cards',
        kind: 'update-where',
        index: 'deck',
        value,
        change: (row: object) => to && { ...raised(row), deck: to },
      }) as const,
  ),
  fc.record({ id, deck, n: fc.nat(9) }).map(row => ({ table: 'marks', kind: 'put', row }) as const),
  fc.tuple(id, deck).map(key => ({ table: 'marks', kind: 'update', key, change: raised }) as const),
  fc.tuple(id, deck).map(key => ({ table: 'marks', kind: 'delete', key }) as const),
)

const side = fc.constantFrom<RowSide>('shown', 'shown', 'aside')
const tab = fc.nat(1)
const isBehind = fc.integer({ min: 1, max: 4 }).map(n => n === 1)

const action = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('write' as const),
      tab,
      side,
      isBehind,
      // How far each step is from the one before; 0: at the same position.
      steps: fc.array(fc.record({ by: fc.nat(2), operations: fc.array(operation, { maxLength: 4 }) }), {
        maxLength: 4,
      }),
      settling: fc.constantFrom(0, 0.5, 1),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('rewind' as const), tab, side, isBehind, by: fc.nat(5) }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('begin' as const), tab, isBehind }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('switch' as const), tab, isBehind }) },
)
type Action = typeof action extends fc.Arbitrary<infer A> ? A : never

/** Both sides as they must be, and what a call must give. */
class Plain {
  sides = { shown: new PlainSide(), aside: new PlainSide() }
  #calls = 0

  /** The call on a store that an action stands for, and what it does where it is carried out. */
  call(action: Action): {
    run: (store: RowStore) => Promise<RowOutcome>
    isMoved: boolean
    follow: () => void
  } {
    const model = 'board'
    const to = `progress ${++this.#calls}`
    const { shown, aside } = this.sides
    const isMoved = action.isBehind
    const from = (side: PlainSide): RowProgress => (isMoved ? 'behind' : side.progress)
    if (action.kind === 'begin') {
      const follow = (): void => {
        this.sides.aside = new PlainSide()
        this.sides.aside.progress = to
      }
      return { run: store => store.begin({ model, from: from(aside), to }), isMoved, follow }
    }
    if (action.kind === 'switch') {
      const nothing = aside.progress === null
      const call = { model, shown: from(shown), aside: aside.progress ?? 'nothing' }
      const follow = (): void => {
        this.sides = { shown: aside, aside: new PlainSide() }
      }
      return { run: store => store.switchOver(call), isMoved: isMoved || nothing, follow }
    }
    const its = this.sides[action.side]
    const last = its.history.at(-1)?.position ?? 0
    if (action.kind === 'rewind') {
      const through = Math.max(its.settled, last - action.by)
      const call = { model, side: action.side, from: from(its) ?? 'nothing', to, through }
      return {
        run: store => store.rewind(call),
        isMoved: isMoved || its.progress === null,
        follow: () => its.rewind(through, to),
      }
    }
    let position = Math.max(last, its.settled + 1)
    const steps = action.steps.map(({ by, operations }) => {
      position += by
      return { position, operations }
    })
    const settledThrough = Math.floor(position * action.settling)
    return {
      run: store => store.write({ model, side: action.side, from: from(its), to, steps, settledThrough }),
      isMoved,
      follow: () => its.write(steps, to, settledThrough),
    }
  }

  async expectSame(db: Dexie, store: RowStore): Promise<void> {
    const { shown, aside } = this.sides
    expect(await store.progress('board')).toEqual({ shown: shown.progress, aside: aside.progress })
    expect(await shownRows(db, 'cards')).toEqual(inOrder(shown.state.cards))
    expect(await shownRows(db, 'marks')).toEqual(inOrder(shown.state.marks))
  }
}

async function openTabs(name: string): Promise<RowStore[]> {
  const stores = [dexieRows(connect(name, MODELS)), dexieRows(connect(name, MODELS))]
  for (const store of stores) await store.open(MODELS)
  return stores
}

test('whatever two tabs write, take back, begin and switch, rows and progress are those of a plain model', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { minLength: 10, maxLength: 40 }), async actions => {
      const name = freshName()
      const page = connect(name, MODELS)
      const stores = await openTabs(name)
      const plain = new Plain()
      for (const action of actions) {
        const { run, isMoved, follow } = plain.call(action)
        expect(await run(stores[action.tab]!)).toBe(isMoved ? 'moved' : 'written')
        if (!isMoved) follow()
        await plain.expectSame(page, stores[1 - action.tab]!)
      }
      await deleteDatabases()
    }),
  )
})

/** Aborts a transaction in the middle, as the end of a tab does: before the request for a change that `left` counts down to. */
function abortingAt(left: { requests: number }): Middleware<DBCore> {
  const create = (core: DBCore): DBCore => ({
    ...core,
    table: name => {
      const table = core.table(name)
      return {
        ...table,
        mutate: request => {
          if (left.requests-- === 0) request.trans.abort()
          return table.mutate(request)
        },
      }
    },
  })
  return { stack: 'dbcore', name: 'aborting', create }
}

test('a call that is cut off anywhere has changed neither rows nor progress, and can be made again', async () => {
  const cut = fc.record({ at: fc.nat(6), action })
  let cuts = 0
  await fc.assert(
    fc.asyncProperty(fc.array(cut, { minLength: 3, maxLength: 15 }), async steps => {
      const name = freshName()
      const db = connect(name, MODELS)
      const left = { requests: Infinity }
      db.use(abortingAt(left))
      const store = dexieRows(db)
      await store.open(MODELS)
      const plain = new Plain()
      for (const { at, action } of steps) {
        const { run, isMoved, follow } = plain.call(action)
        left.requests = at
        const outcome = await run(store).catch((error: unknown) => error)
        left.requests = Infinity
        if (outcome instanceof Error) {
          cuts++
          expect(outcome).toMatchObject({ code: 'storage-failed' })
          await plain.expectSame(db, store)
          expect(await run(store)).toBe('written')
        } else expect(outcome).toBe(isMoved ? 'moved' : 'written')
        if (!isMoved) follow()
        await plain.expectSame(db, store)
      }
      await deleteDatabases()
    }),
  )
  expect(cuts).toBeGreaterThan(50)
})
