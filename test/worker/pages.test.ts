// Pages of a shared worker that are silent or gone, and those that are there.

import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { PageApi } from '../../src/protocol/worker-api.ts'
import { watchPage } from '../../worker/page-watch.ts'
import { Pages } from '../../worker/pages.ts'
import { FakeLocks } from './fake-locks.ts'

// Nothing here waits for time to pass.
vi.setConfig({ testTimeout: 5_000 })

const never = <T>(): Promise<T> => new Promise(() => {})

/** A page that answers with its name, unless it is silent. */
function page(name: string, { isSilent = false } = {}) {
  const shown: number[] = []
  const page = {
    isSilent,
    shown,
    api: {
      ping: () => (page.isSilent ? never<void>() : Promise.resolve()),
      freshToken: () => (page.isSilent ? never<string>() : Promise.resolve(name)),
    } as unknown as PageApi,
    show: (n: number) => {
      shown.push(n)
      return page.isSilent ? never() : Promise.resolve()
    },
  }
  return page
}

describe('a question', () => {
  test('goes to a page that gives a sign of life, never to one that is silent', async () => {
    const pages = new Pages()
    pages.add(page('frozen', { isSilent: true }).api)
    pages.add(page('there').api)
    expect(await pages.ask(({ freshToken }) => freshToken())).toBe('there')
  })

  test('goes to another page when the first one leaves before it answered', async () => {
    const pages = new Pages()
    const [one, other] = [page('one'), page('other')]
    one.api.freshToken = vi.fn(() => never<string>())
    pages.add(one.api)
    const answer = pages.ask(({ freshToken }) => freshToken())
    await vi.waitFor(() => expect(one.api.freshToken).toHaveBeenCalled())
    pages.add(other.api)
    pages.remove(one.api)
    expect(await answer).toBe('other')
  })

  test('goes to a page that comes while all others are silent', async () => {
    const pages = new Pages()
    pages.add(page('frozen', { isSilent: true }).api)
    const answer = pages.ask(({ freshToken }) => freshToken())
    pages.add(page('new').api)
    expect(await answer).toBe('new')
  })

  test('has no answer without pages, or when the last one leaves', async () => {
    const pages = new Pages()
    expect(await pages.ask(({ freshToken }) => freshToken())).toBeNull()
    const last = page('last', { isSilent: true })
    pages.add(last.api)
    const answer = pages.ask(({ freshToken }) => freshToken())
    pages.remove(last.api)
    expect(await answer).toBeNull()
  })

  test('that a page refuses is refused', async () => {
    const pages = new Pages()
    pages.add(page('one').api)
    await expect(pages.ask(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})

describe('what is newest', () => {
  test('goes to each page as fast as it takes it: a silent one holds up no other', async () => {
    const pages = new Pages()
    const [slow, quick] = [page('slow', { isSilent: true }), page('quick')]
    pages.add(slow.api)
    pages.add(quick.api)
    let n = 0
    const shows = new Map([
      [slow.api, slow.show],
      [quick.api, quick.show],
    ])
    const mark = pages.latestSender(api => shows.get(api)!(n), new AbortController().signal)
    for (n = 1; n <= 3; n++) {
      mark()
      await new Promise(resolve => setTimeout(resolve))
    }
    expect(quick.shown).toEqual([1, 2, 3])
    expect(slow.shown).toEqual([1])
  })
})

describe('watching', () => {
  let locks: FakeLocks
  const ends: AbortController[] = []

  beforeEach(() => {
    locks = new FakeLocks()
    vi.stubGlobal('navigator', { locks })
    vi.useFakeTimers()
  })

  afterEach(() => {
    for (const end of ends.splice(0)) end.abort()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  })

  function watch(api: PageApi, lock: string | null = null) {
    const onGone = vi.fn()
    const end = new AbortController()
    ends.push(end)
    watchPage({ page: api, lock, onGone, signal: end.signal })
    return { onGone, end }
  }

  test('a page that is silent for a minute is gone, one that answers is not', async () => {
    const [silent, there] = [page('silent', { isSilent: true }), page('there')]
    const [first, second] = [watch(silent.api), watch(there.api)]
    await vi.advanceTimersByTimeAsync(60_000)
    expect(first.onGone).not.toHaveBeenCalled()
    await vi.advanceTimersByTimeAsync(10_000)
    expect(first.onGone).toHaveBeenCalledOnce()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(second.onGone).not.toHaveBeenCalled()
  })

  test('a page that was silent for a while and answers again is not gone', async () => {
    const one = page('one', { isSilent: true })
    const { onGone } = watch(one.api)
    for (let i = 0; i < 10; i++) {
      one.isSilent = true
      await vi.advanceTimersByTimeAsync(50_000)
      one.isSilent = false
      await vi.advanceTimersByTimeAsync(10_000)
    }
    expect(onGone).not.toHaveBeenCalled()
  })

  test('a page whose lock is free is gone at once', async () => {
    const life = new AbortController()
    void locks.request('life', () => new Promise<void>(resolve => (life.signal.onabort = () => resolve())))
    const { onGone } = watch(page('one').api, 'life')
    await vi.advanceTimersByTimeAsync(1)
    expect(onGone).not.toHaveBeenCalled()
    life.abort()
    await vi.advanceTimersByTimeAsync(1)
    expect(onGone).toHaveBeenCalledOnce()
  })

  test('ends with its signal', async () => {
    const { onGone, end } = watch(page('silent', { isSilent: true }).api)
    await vi.advanceTimersByTimeAsync(30_000)
    end.abort()
    await vi.advanceTimersByTimeAsync(600_000)
    expect(onGone).not.toHaveBeenCalled()
    expect(vi.getTimerCount()).toBe(0)
  })
})
