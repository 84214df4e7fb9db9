import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { Leadership } from '../../worker/leadership.ts'
import { FakeLocks } from './fake-locks.ts'

let locks: FakeLocks
const ends: AbortController[] = []

beforeEach(() => {
  locks = new FakeLocks()
  vi.stubGlobal('navigator', { locks })
})

afterEach(() => {
  for (const end of ends.splice(0)) end.abort()
  vi.unstubAllGlobals()
})

/** A tab that tells when it leads and when it does not. */
function tab(name = 'lock') {
  const end = new AbortController()
  ends.push(end)
  const history: string[] = []
  const leadership = new Leadership({
    name,
    signal: end.signal,
    lead: async signal => {
      history.push('leads')
      await new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }))
      history.push('over')
    },
  })
  const ended = leadership.run()
  return {
    leadership,
    history,
    end,
    ended,
    is: (...wanted: string[]) => vi.waitFor(() => expect(history).toEqual(wanted)),
  }
}

test('one tab leads, and when it ends the next one does', async () => {
  const [first, second] = [tab(), tab()]
  await first.is('leads')
  expect(second.history).toEqual([])
  first.end.abort()
  await first.ended
  await first.is('leads', 'over')
  await second.is('leads')
})

test('tabs of another store lead beside them', async () => {
  const [first, other] = [tab('lock'), tab('another lock')]
  await first.is('leads')
  await other.is('leads')
})

test('a tab that waits and ends does not hold the next one up', async () => {
  const [first, second, third] = [tab(), tab(), tab()]
  second.end.abort()
  await second.ended
  first.end.abort()
  await third.is('leads')
  expect(second.history).toEqual([])
})

test('a lead that is stolen is over, and is waited for again', async () => {
  const [first, second] = [tab(), tab()]
  await first.is('leads')
  second.leadership.steal()
  await second.is('leads')
  await first.is('leads', 'over')
  second.end.abort()
  await first.is('leads', 'over', 'leads')
})

describe('without Web Locks', () => {
  test('every tab leads', async () => {
    vi.stubGlobal('navigator', {})
    const [first, second] = [tab(), tab()]
    await first.is('leads')
    await second.is('leads')
  })

  test('an origin that may not use them is the same', async () => {
    const refuse = () => Promise.reject(new DOMException('not here', 'SecurityError'))
    vi.stubGlobal('navigator', { locks: { request: refuse } })
    const first = tab()
    await first.is('leads')
    first.end.abort()
    await first.ended
  })
})
