// Leadership over the browser's own locks.

import { afterEach, expect, test, vi } from 'vitest'
import { Leadership } from '../../worker/leadership.ts'

const ends: AbortController[] = []
let tabs = 0

afterEach(() => {
  for (const end of ends.splice(0)) end.abort()
})

function tab(name: string) {
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
  void leadership.run()
  return {
    leadership,
    end,
    history,
    is: (...wanted: string[]) => vi.waitFor(() => expect(history).toEqual(wanted)),
  }
}

test('passes on when the leader ends, and back when it is stolen', async () => {
  const name = `leadership-${Date.now()}-${++tabs}`
  const first = tab(name)
  await first.is('leads')
  const second = tab(name)
  second.leadership.steal()
  await second.is('leads')
  await first.is('leads', 'over')
  second.end.abort()
  await first.is('leads', 'over', 'leads')
})
