import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { runInOneTab } from '../../worker/run-in-one-tab.ts'
import { FakeLocks } from './fake-locks.ts'

beforeEach(() => {
  vi.stubGlobal('navigator', { locks: new FakeLocks() })
})
afterEach(() => {
  vi.unstubAllGlobals()
})

/** Work that goes on until it is told to end. */
function lasting() {
  let end = () => {}
  const ended = new Promise<void>(resolve => {
    end = resolve
  })
  return { work: vi.fn(() => ended), end }
}

test('what one tab does is not done by another meanwhile, and does not wait', async () => {
  const first = lasting()
  const running = runInOneTab('store', first.work)
  const second = vi.fn(async () => {})
  await runInOneTab('store', second)
  expect(first.work).toHaveBeenCalledTimes(1)
  expect(second).not.toHaveBeenCalled()
  first.end()
  await running
  await runInOneTab('store', second)
  expect(second).toHaveBeenCalledTimes(1)
})

test('another store has a lock of its own', async () => {
  const first = lasting()
  const running = runInOneTab('store', first.work)
  const other = vi.fn(async () => {})
  await runInOneTab('other', other)
  expect(other).toHaveBeenCalledTimes(1)
  first.end()
  await running
})

test('where there are no locks, or they may not be used, it is done', async () => {
  const work = vi.fn(async () => {})
  vi.stubGlobal('navigator', {})
  await runInOneTab('store', work)
  vi.stubGlobal('navigator', {
    locks: { request: () => Promise.reject(new DOMException('', 'SecurityError')) },
  })
  await runInOneTab('store', work)
  expect(work).toHaveBeenCalledTimes(2)
})

test('what the work throws is thrown, and the work is done once', async () => {
  const work = vi.fn(() => Promise.reject(new Error('failed')))
  await expect(runInOneTab('store', work)).rejects.toThrow('failed')
  expect(work).toHaveBeenCalledTimes(1)
})
