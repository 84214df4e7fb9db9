import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { underBriefLock } from '../../worker/web-lock.ts'
import { FakeLocks } from './fake-locks.ts'

// Nothing here waits for time to pass.
vi.setConfig({ testTimeout: 5_000 })

let locks: FakeLocks

beforeEach(() => {
  locks = new FakeLocks()
  vi.stubGlobal('navigator', { locks })
  vi.useFakeTimers()
})

afterEach(() => {
  vi.useRealTimers()
  vi.unstubAllGlobals()
})

describe('brief work under a lock', () => {
  test('is done by one at a time, in order', async () => {
    const done: string[] = []
    const work = (name: string) => async () => {
      done.push(`${name} begins`)
      await new Promise(resolve => setTimeout(resolve, 100))
      done.push(`${name} ends`)
      return name
    }
    const both = Promise.all([underBriefLock('l', work('a')), underBriefLock('l', work('b'))])
    await vi.advanceTimersByTimeAsync(300)
    expect(await both).toEqual(['a', 'b'])
    expect(done).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
    expect(vi.getTimerCount()).toBe(0)
  })

  test('takes the lock of a tab that is frozen with it, and that one ends when it thaws', async () => {
    let thaw = (_: string) => {}
    const frozen = underBriefLock('l', () => new Promise<string>(resolve => (thaw = resolve)))
    const others = Promise.all([underBriefLock('l', async () => 'a'), underBriefLock('l', async () => 'b')])
    await vi.advanceTimersByTimeAsync(20_001)
    expect(await others).toEqual(['a', 'b'])
    thaw('frozen')
    expect(await frozen).toBe('frozen')
  })

  test('that fails throws what it threw, and frees the lock', async () => {
    const failing = underBriefLock('l', () => Promise.reject(new Error('no')))
    await expect(failing).rejects.toThrow('no')
    expect(await underBriefLock('l', async () => 1)).toBe(1)
  })

  test('runs without locks', async () => {
    vi.stubGlobal('navigator', {})
    expect(await underBriefLock('l', async () => 1)).toBe(1)
  })
})
