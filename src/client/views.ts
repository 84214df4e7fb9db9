// Documents of projections on the page: the latest snapshot of each, shown once a frame.

import { isStoreError } from '../log/errors.ts'
import { deepFreeze } from '../model/deep-freeze.ts'
import type { Moment } from '../model/moment.ts'
import type { HashedSnapshot, Snapshot } from '../model/snapshot.ts'
import { patched, type StatePatch, shared } from '../protocol/state-patch.ts'
import { errorFromWire } from '../protocol/wire-error.ts'
import type { ViewUpdate } from '../protocol/worker-api.ts'
import { nextFrame } from './next-frame.ts'
import { Cell, type Readable } from './readable.ts'
import type { Attachment, WorkerLink } from './worker-link.ts'

/**
 * A document that keeps itself current while somebody is subscribed. `getSnapshot` gives undefined until the
 * first delivery and null for a document without events; without subscribers, what was delivered last.
 */
export interface View<S> extends Readable<Snapshot<S> | null | undefined> {
  /**
   * Why the document cannot be fetched, or stands before an event that its handler failed on; null as long as all is
   * well. Subscribers are told.
   */
  readonly getError: () => Error | null
  /**
   * The document as it was at a moment; null where it had no events then. The view itself stays as it is.
   *
   * @throws `StoreError` `handler-failed` when a handler fails before that moment; `invalid-argument`.
   */
  readonly at: (moment: Moment) => Promise<HashedSnapshot<S> | null>
}

/** A view without subscribers is kept this long: frameworks unsubscribe and subscribe again when they re-render. */
const LINGER_MS = 1_000

export class Views {
  readonly #link: WorkerLink
  readonly #isFrozen: boolean
  /** Weak: a view that nobody holds or watches need not be kept, but who asks again must get the same one. */
  readonly #views = new Map<string, WeakRef<DocumentView>>()
  readonly #forget = new FinalizationRegistry<string>(key => {
    if (!this.#views.get(key)?.deref()) this.#views.delete(key)
  })
  readonly #watching = new Map<number, DocumentView>()
  #lastId = 0

  /** @param isFrozen whether states are to be frozen */
  constructor(link: WorkerLink, isFrozen = false) {
    this.#link = link
    this.#isFrozen = isFrozen
  }

  /** The same view for the same document. */
  view(projection: string, documentId: string): View<unknown> {
    const key = JSON.stringify([projection, documentId])
    const known = this.#views.get(key)?.deref()
    if (known) return known
    const at = (moment: Moment) =>
      this.#link.call(worker => worker.documentAt(projection, documentId, moment))
    const view = new DocumentView(this.#link, {
      at,
      isFrozen: this.#isFrozen,
      watch: shown => {
        const viewId = ++this.#lastId
        this.#watching.set(viewId, shown)
        return { viewId, watched: this.#link.call(w => w.watchView(viewId, projection, documentId), ONCE) }
      },
      unwatch: viewId => {
        this.#watching.delete(viewId)
        this.#link.tell(worker => worker.unwatchView(viewId))
      },
    })
    this.#views.set(key, new WeakRef(view))
    this.#forget.register(view, key)
    return view
  }

  async show(update: ViewUpdate): Promise<'continue' | 'whole' | 'stop'> {
    const view = this.#watching.get(update.viewId)
    return view ? view.show(update) : 'stop'
  }
}

/** A new worker is told by `establish`, not by asking again. */
const ONCE = { resend: false } as const

type Watcher = Readonly<{
  at: View<unknown>['at']
  isFrozen: boolean
  watch: (view: DocumentView) => { viewId: number; watched: Promise<void> }
  unwatch: (viewId: number) => void
}>

class DocumentView implements View<unknown>, Attachment {
  readonly #link: WorkerLink
  readonly #watcher: Watcher
  readonly at: View<unknown>['at']
  readonly #shown = new Cell<Snapshot<unknown> | null | undefined>(undefined)
  #error: Error | null = null
  #viewId: number | null = null
  #isAttached = false
  #linger: ReturnType<typeof setTimeout> | undefined

  constructor(link: WorkerLink, watcher: Watcher) {
    this.#link = link
    this.#watcher = watcher
    this.at = watcher.at
  }

  readonly getSnapshot = (): Snapshot<unknown> | null | undefined => this.#shown.getSnapshot()

  readonly getError = (): Error | null => this.#error

  readonly subscribe = (listener: () => void): (() => void) => {
    clearTimeout(this.#linger)
    const unsubscribe = this.#shown.subscribe(listener)
    this.#attach()
    return () => {
      unsubscribe()
      if (!this.#shown.isWatched) this.#lingerOn()
    }
  }

  establish(): void {
    this.#unwatch()
    const { viewId, watched } = this.#watcher.watch(this)
    this.#viewId = viewId
    watched.catch(error => {
      // A worker that died is replaced, or the link drops the view.
      if (viewId === this.#viewId && !isStoreError(error, 'worker-died')) this.#fail(error)
    })
  }

  drop(error: Error): void {
    this.#isAttached = false
    this.#unwatch()
    if (!isStoreError(error, 'store-closed')) this.#fail(error)
  }

  async show({ snapshot, patch, error }: ViewUpdate): Promise<'continue' | 'whole'> {
    await nextFrame()
    if (this.#viewId === null) return 'continue'
    const before = this.#shown.getSnapshot()
    if (patch !== undefined && !before) return 'whole'
    this.#error = error && errorFromWire(error)
    const shown = snapshot && before ? { ...snapshot, state: stateOf(snapshot, patch, before) } : snapshot
    if (shown && this.#watcher.isFrozen) deepFreeze(shown)
    // The same snapshot may come with another error.
    if (shown === undefined || shown === before) this.#shown.notify()
    else this.#shown.set(shown)
    return 'continue'
  }

  #attach(): void {
    if (this.#isAttached) return
    this.#isAttached = true
    this.#link.attach(this)
  }

  #lingerOn(): void {
    clearTimeout(this.#linger)
    this.#linger = setTimeout(() => {
      this.#isAttached = false
      this.#link.detach(this)
      this.#unwatch()
    }, LINGER_MS)
  }

  #unwatch(): void {
    if (this.#viewId !== null) this.#watcher.unwatch(this.#viewId)
    this.#viewId = null
  }

  #fail(error: Error): void {
    this.#error = error
    this.#shown.notify()
  }
}

/** What is equal in the state that was shown before stays the same object. */
function stateOf(
  { state }: Snapshot<unknown>,
  patch: StatePatch | null | undefined,
  before: Snapshot<unknown>,
): unknown {
  return patch === undefined ? shared(before.state, state) : patched(before.state, patch)
}
