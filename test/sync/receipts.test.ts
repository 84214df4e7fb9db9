import { afterEach, expect, test } from 'vitest'
import { SyncWorld } from './sync-world.ts'

const world = new SyncWorld()
afterEach(() => world.close())

test('a receipt of commits that do not stand right behind what is here is no page of them: a pull brings what lies between', async () => {
  const one = await world.openDevice()
  one.loop.start()
  await world.converge()
  const two = await world.openDevice()
  await two.append('b', ['first'])
  // Somebody else's push arrives while this one is on its way.
  one.faults.push(async deliver => {
    two.loop.start()
    await two.until(({ pending }) => pending === 0)
    return deliver()
  })
  await one.append('a', ['second'])
  const failures: unknown[] = []
  await world.run(() => {
    const { error, pending, phase } = one.loop.status()
    if (error) failures.push(error)
    return pending === 0 && phase === 'idle'
  })
  expect(failures).toEqual([])
  expect(one.requests).toEqual(['GET /v1/log', 'POST /v1/log', 'GET /v1/log'])
  expect((await one.confirmed()).map(line => line.split(' ')[0])).toEqual(['b@1', 'a@1'])
})
