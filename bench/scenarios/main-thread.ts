// What the user of the page feels: the longest stretch without a turn while much comes in, and how long a change to a
// large document takes until it is on the page.

import { makeEvents } from '../events.ts'
import type { Board, ItemMoved } from '../page/app.ts'
import { longestStretch } from '../page/main-thread.ts'
import { appendBatches, assertFolded, BATCH, batchesOf, type Store, withStore } from '../page/store.ts'
import type { Scenario } from '../scenario.ts'
import { percentile } from '../statistics.ts'

const EVENTS = 100_000
const ITEMS = 10_000
const UPDATES = 100

export const scenario: Scenario = {
  title: 'On the page',
  async measure({ round, scaled }) {
    const importing = await withStore(`import-${round}`, store => importWatched(store, scaled(EVENTS)))
    const updating = await withStore(`board-${round}`, store => updateWatched(store, ITEMS, scaled(UPDATES)))
    return [
      { name: 'longest stretch while 100,000 events are imported', unit: 'ms', value: importing },
      {
        name: 'one of 10,000 items changed, until the view shows it, p50',
        unit: 'ms',
        value: percentile(updating.times, 50),
      },
      {
        name: 'one of 10,000 items changed, until the view shows it, p99',
        unit: 'ms',
        value: percentile(updating.times, 99),
      },
      { name: 'longest stretch while items change', unit: 'ms', value: updating.longestMs },
    ]
  },
}

/** With a view that shows how the import goes on. */
async function importWatched(store: Store, count: number): Promise<number> {
  const batches = batchesOf(makeEvents(0, count))
  const view = store.view('total', 'all')
  const unsubscribe = view.subscribe(() => {})
  const longestMs = await longestStretch(() => appendBatches(store, batches))
  unsubscribe()
  assertFolded(await store.projection('total').get('all'), count)
  return longestMs
}

async function updateWatched(
  store: Store,
  items: number,
  updates: number,
): Promise<{ times: number[]; longestMs: number }> {
  const move = (item: number, x: number): ItemMoved => ({ type: 'ItemMoved', data: { item, x, y: 0 } })
  for (let item = 0; item < items; item += BATCH) {
    await store.appendToStream(
      'board',
      Array.from({ length: BATCH }, (_, i) => move(item + i, 0)),
    )
  }
  const view = store.view('board', 'board')
  const shows = (isShown: (board: Board) => boolean): Promise<void> =>
    new Promise(resolve => {
      const unsubscribe = view.subscribe(() => {
        const snapshot = view.getSnapshot()
        if (!snapshot || !isShown(snapshot.state)) return
        unsubscribe()
        resolve()
      })
    })
  await shows(board => board[items - 1] !== undefined)
  const keep = view.subscribe(() => {})
  const times: number[] = []
  const longestMs = await longestStretch(async () => {
    for (let x = 1; x <= updates; x++) {
      const item = (x * 37) % items
      const start = performance.now()
      const shown = shows(board => board[item]?.x === x)
      await store.appendToStream('board', [move(item, x)])
      await shown
      times.push(performance.now() - start)
    }
  })
  keep()
  return { times, longestMs }
}
