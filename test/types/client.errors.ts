// Programs that must not compile. Checked by `tsc`: an expected error that does not come is an error.

import {
  type App,
  type Command,
  type DeciderDefinition,
  type Event,
  type HashedSnapshot,
  type MergeDefinition,
  openStore,
  type ProjectionDefinition,
  type Snapshot,
} from '../../src/index.ts'

type Added = Event<'Added', { sku: string }>
type Cleared = Event<'Cleared', null>
type CartEvent = Added | Cleared
type Add = Command<'Add', { sku: string }>
type Clear = Command<'Clear', null>
type Cart = { skus: readonly string[] }

const cart: DeciderDefinition<Cart, Add | Clear, CartEvent> = {
  streamName: id => `cart-${id}`,
  initialState: () => ({ skus: [] }),
  decide: ({ type, data }) => (type === 'Add' ? { type: 'Added', data } : { type: 'Cleared', data: null }),
  evolve: {
    Added: ({ skus }, { data }) => ({ skus: [...skus, data.sku] }),
    Cleared: () => ({ skus: [] }),
  },
}

const size: ProjectionDefinition<{ size: number }, CartEvent> = {
  canHandle: ['Added', 'Cleared'],
  initialState: () => ({ size: 0 }),
  evolve: (state, event) => ({ size: event.type === 'Added' ? state.size + 1 : 0 }),
}

const latest: MergeDefinition<Cart, CartEvent> = {
  decider: 'cart',
  merge: ({ local, remote, state }) => (remote.length > state.skus.length ? 'reject' : local),
}

const app = { deciders: { cart }, projections: { size }, merges: { latest } } satisfies App

const worker = () => new Worker('worker.js')
const store = await openStore<typeof app>(worker, { storeId: 's' })

// What compiles, with the types that the app gives.
const { state } = await store.execute('cart', '1', { type: 'Add', data: { sku: 'a' } })
state.skus satisfies readonly string[]
store.view('size', 'cart-1').getSnapshot() satisfies Snapshot<{ size: number }> | null | undefined
;(await store.projection('size').get('cart-1')) satisfies HashedSnapshot<{ size: number }> | null
await store.appendToStream<CartEvent>('cart-1', [{ type: 'Added', data: { sku: 'a' } }])
await openStore<typeof app>(new Worker('worker.js'), { storeId: 's', sync: { url: 'u', token: 't' } })
await store.appendToStream('cart-1', [], { onConflict: { merge: 'latest' } })
await store.appendToStreams([], { onConflict: { merge: 'latest' } })
const withoutMerges = await openStore<{ deciders: { cart: typeof cart } }>(worker, { storeId: 's' })
await withoutMerges.appendToStream('cart-1', [], { onConflict: 'reappend' })

// @ts-expect-error the app has no merge of this name
await store.appendToStream('cart-1', [], { onConflict: { merge: 'newest' } })

// @ts-expect-error the app has no merge of this name
await store.appendToStreams([], { onConflict: { merge: 'newest' } })

// @ts-expect-error the app has no merges
await withoutMerges.appendToStream('cart-1', [], { onConflict: { merge: 'latest' } })

// @ts-expect-error what is amended is decided again or rejected, never merged
await store.amendStream('cart-1', [], { reason: 'r', onConflict: { merge: 'latest' } })

const wrong: MergeDefinition<Cart, CartEvent> = {
  // @ts-expect-error events of another kind
  merge: () => [{ type: 'Opened', data: null }],
}
wrong satisfies MergeDefinition<Cart, CartEvent>

;({ ...size, handling: 'async', categories: ['cart'] }) satisfies ProjectionDefinition<
  { size: number },
  CartEvent
>
;(await store.projection('size').status()).stoppedAt satisfies readonly { eventId: string }[]
await store.projection('size').whenProcessed(1, { timeoutMs: 100, signal: new AbortController().signal })
await store.decider('cart').explain('1')

// @ts-expect-error a projection is folded when asked for, or in the background; nothing else
;({ ...size, handling: 'eager' }) satisfies ProjectionDefinition<{ size: number }, CartEvent>

// @ts-expect-error a projection is of several categories, or of one in a list
;({ ...size, categories: 'cart' }) satisfies ProjectionDefinition<{ size: number }, CartEvent>

// @ts-expect-error what is skipped is named, one by one
await store.projection('size').skip()

// @ts-expect-error a projection decides on nothing
await store.decider('size').explain('1')

// @ts-expect-error the app has no decider of this name
await store.execute('basket', '1', { type: 'Add', data: { sku: 'a' } })

// @ts-expect-error the decider knows no such command
await store.execute('cart', '1', { type: 'Remove', data: { sku: 'a' } })

// @ts-expect-error the data are those of another command
await store.execute('cart', '1', { type: 'Add', data: null })

// @ts-expect-error a projection is no decider
await store.execute('size', '1', { type: 'Add', data: { sku: 'a' } })

// @ts-expect-error the app has no projection of this name
store.view('total', 'cart-1')

// @ts-expect-error the state of this projection has no such field
store.view('size', 'cart-1').getSnapshot()?.state.skus

// @ts-expect-error undefined until the first delivery, null without events: both must be asked for
store.view('size', 'cart-1').getSnapshot().state

// @ts-expect-error without events there is no document
;(await store.projection('size').get('cart-1')).stateHash

// @ts-expect-error the stream holds no events of this type
await store.appendToStream<CartEvent>('cart-1', [{ type: 'Opened', data: null }])

// @ts-expect-error no such expectation
await store.appendToStream<CartEvent>('cart-1', [], { expectedStreamVersion: 'ANY' })

// @ts-expect-error a document on the page is read-only
store.view('size', 'cart-1').getSnapshot()!.streamVersion = 2

// @ts-expect-error a store has an id: it is part of its hash chain
await openStore<typeof app>(worker, {})

// @ts-expect-error a function of the domain does not cross the port
await openStore<typeof app>(worker, { storeId: 's', app })

// @ts-expect-error a worker, or a function that makes one; not its address
await openStore<typeof app>('worker.js', { storeId: 's' })

await store.readStream<CartEvent>('cart-1').then(({ events }) => {
  // @ts-expect-error what was recorded stays as it is
  events[0]!.data = null
})
