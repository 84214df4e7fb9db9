// The pages that have one store open: all are told what is new, and one that lives is asked.

import type { PageApi } from '../src/protocol/worker-api.ts'
import { createLatestSender } from './latest-sender.ts'

type Page = Readonly<{ api: PageApi; left: AbortController }>

export class Pages {
  readonly #pages = new Map<PageApi, Page>()
  /** Who waits for a page to come or to leave. */
  readonly #waiting = new Set<() => void>()

  get size(): number {
    return this.#pages.size
  }

  add(api: PageApi): void {
    this.#pages.set(api, { api, left: new AbortController() })
    this.#tellChange()
  }

  /** Nothing waits for it any more. */
  remove(api: PageApi): void {
    this.#pages.get(api)?.left.abort()
    this.#pages.delete(api)
    this.#tellChange()
  }

  /** Tells each, and waits for none. */
  tell(send: (page: PageApi) => Promise<unknown>): void {
    for (const { api } of this.#pages.values()) void send(api)
  }

  /** Returns `mark`: there is something newer to send to each page, as fast as that one takes it. */
  latestSender(send: (page: PageApi) => Promise<unknown>, signal: AbortSignal): () => void {
    const marks = new WeakMap<Page, () => void>()
    const markOf = (page: Page): (() => void) => {
      const known = marks.get(page)
      if (known) return known
      const mark = createLatestSender(() => send(page.api), AbortSignal.any([signal, page.left.signal]))
      marks.set(page, mark)
      return mark
    }
    return () => {
      for (const page of this.#pages.values()) markOf(page)()
    }
  }

  /** Asks a page that gives a sign of life, and another one if that one leaves before it answers; null without pages. */
  async ask<T>(question: (page: PageApi) => Promise<T>): Promise<T | null> {
    while (this.#pages.size > 0) {
      const page = await this.#firstAlive()
      const answer = page && (await unlessLeft(question(page.api), page.left.signal))
      if (answer) return answer.value
    }
    return null
  }

  /** Null when there are other pages to look at. */
  async #firstAlive(): Promise<Page | null> {
    let changed = () => {}
    const change = new Promise<null>(resolve => {
      changed = () => resolve(null)
    })
    this.#waiting.add(changed)
    const signs = [...this.#pages.values()].map(page => page.api.ping().then(() => page))
    try {
      return await Promise.race([change, ...signs])
    } finally {
      this.#waiting.delete(changed)
    }
  }

  #tellChange(): void {
    for (const changed of this.#waiting) changed()
  }
}

async function unlessLeft<T>(answer: Promise<T>, left: AbortSignal): Promise<{ value: T } | null> {
  const answered = new AbortController()
  const leaving = new Promise<null>(resolve => {
    if (left.aborted) resolve(null)
    left.addEventListener('abort', () => resolve(null), { signal: answered.signal })
  })
  try {
    return await Promise.race([leaving, answer.then(value => ({ value }))])
  } finally {
    answered.abort()
  }
}
