import { describe, expect, test } from 'vitest'
import { createWatchdog, orAborted } from '../../src/sync/watchdog.ts'
import { createFakeClock } from './fake-clock.ts'

describe('a watchdog', () => {
  test('aborts when nothing was heard for its patience', () => {
    const clock = createFakeClock()
    const watchdog = createWatchdog(clock, 1_000, new AbortController().signal)
    clock.advance(999)
    expect(watchdog.signal.aborted).toBe(false)
    clock.advance(1)
    expect(watchdog.signal.aborted).toBe(true)
    expect(watchdog.hasBitten()).toBe(true)
  })

  test('begins anew with each sign of life', () => {
    const clock = createFakeClock()
    const watchdog = createWatchdog(clock, 1_000, new AbortController().signal)
    for (let i = 0; i < 5; i++) {
      clock.advance(900)
      watchdog.heard()
    }
    expect(watchdog.signal.aborted).toBe(false)
  })

  test('aborts with its owner, which is no bite, and leaves no timer', () => {
    const clock = createFakeClock()
    const owner = new AbortController()
    const watchdog = createWatchdog(clock, 1_000, owner.signal)
    owner.abort()
    watchdog.heard()
    expect(watchdog.signal.aborted).toBe(true)
    expect(watchdog.hasBitten()).toBe(false)
    expect(clock.waiting()).toEqual([])
  })

  test('of an owner that has aborted already is aborted from the start', () => {
    const clock = createFakeClock()
    expect(createWatchdog(clock, 1_000, AbortSignal.abort()).signal.aborted).toBe(true)
    expect(clock.waiting()).toEqual([])
  })

  test('leaves no timer when it is released', () => {
    const clock = createFakeClock()
    createWatchdog(clock, 1_000, new AbortController().signal).release()
    expect(clock.waiting()).toEqual([])
  })
})

describe('orAborted', () => {
  test('settles as the promise does', async () => {
    const { signal } = new AbortController()
    await expect(orAborted(Promise.resolve(1), signal)).resolves.toBe(1)
    await expect(orAborted(Promise.reject(new Error('no')), signal)).rejects.toThrow('no')
  })

  test('rejects when the signal aborts before the promise settles', async () => {
    const controller = new AbortController()
    const waiting = orAborted(new Promise(() => {}), controller.signal)
    controller.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    await expect(orAborted(new Promise(() => {}), AbortSignal.abort(new Error('enough')))).rejects.toThrow(
      'enough',
    )
  })
})
