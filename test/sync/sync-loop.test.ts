import fc from 'fast-check'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { createMemoryDatabase } from '../../src/storage/memory/index.ts'
import { LINGER_MS } from '../../src/sync/sync-state.ts'
import { type Device, FAULTS, type Fault, nextTurn, SyncWorld } from './sync-world.ts'

// Nothing here waits for time to pass; this is for a machine that is busy.
vi.setConfig({ testTimeout: 60_000 })

const worlds: SyncWorld[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) {
    await world.close()
    for (const { mostAtOnce } of world.devices) expect(mostAtOnce, 'requests at once').toBeLessThanOrEqual(1)
  }
})

function createWorld(...limits: ConstructorParameters<typeof SyncWorld>): SyncWorld {
  const world = new SyncWorld(...limits)
  worlds.push(world)
  return world
}

async function startDevice(world: SyncWorld): Promise<Device> {
  const device = await world.openDevice()
  device.loop.start()
  await device.until(({ phase }) => phase === 'idle')
  return device
}

const numbered = (name: string, count: number) => Array.from({ length: count }, (_, i) => `${name}-${i}`)

describe('with a sound network', () => {
  test('what is appended before the start is pulled for, pushed and confirmed', async () => {
    const world = createWorld()
    const device = await world.openDevice()
    await device.append('a', ['one', 'two'])
    device.loop.start()
    expect(device.loop.status()).toMatchObject({ phase: 'pulling', pending: 2, lastContactAt: null })
    const status = await device.until(({ phase }) => phase === 'idle')
    expect(status).toEqual({
      phase: 'idle',
      pending: 0,
      rejected: 0,
      serverPosition: 2,
      unsentErasures: 0,
      lastContactAt: world.clock.now(),
      retryAt: null,
      error: null,
    })
    expect(device.requests).toEqual(['GET /v1/log', 'POST /v1/log', 'GET /v1/log'])
  })

  test('appends of one moment go out in one push', async () => {
    const world = createWorld()
    const device = await startDevice(world)
    device.requests.length = 0
    for (const text of numbered('text', 20)) await device.append('a', [text])
    expect(device.requests).toEqual([])
    world.clock.advance(LINGER_MS)
    await device.until(({ pending, phase }) => pending === 0 && phase === 'idle')
    expect(device.requests.filter(request => request.startsWith('POST'))).toHaveLength(1)
  })

  test('a receipt that says where the commits stand confirms them, without fetching them', async () => {
    const world = createWorld()
    const device = await startDevice(world)
    await device.append('a', ['one', 'two'])
    device.faults.push(deliver => deliver(), FAULTS.failing)
    world.clock.advance(LINGER_MS)
    const status = await device.until(({ phase }) => phase === 'waiting')
    expect(status).toMatchObject({ pending: 0, serverPosition: 2 })
  })

  test('what one device appends, another is told of and pulls', async () => {
    const world = createWorld()
    const [one, two] = [await startDevice(world), await startDevice(world)]
    await one.append('a', ['hello'])
    world.clock.advance(LINGER_MS)
    await two.until(({ serverPosition }) => serverPosition === 1)
    expect(await two.confirmed()).toEqual(await one.confirmed())
  })

  test('more than one push and one page go through', async () => {
    const world = createWorld({ maxPullBytes: 20_000 })
    const one = await world.openDevice()
    for (let i = 0; i < 6; i++) await one.append('a', numbered('x'.repeat(3_000), 100))
    one.loop.start()
    await world.converge()
    expect(one.requests.filter(request => request.startsWith('POST')).length).toBeGreaterThan(1)
    const two = await startDevice(world)
    await world.converge()
    expect(two.requests.length).toBeGreaterThan(3)
    expect(await two.confirmed()).toEqual(await one.confirmed())
    expect(await two.confirmed()).toHaveLength(600)
  })

  test('stopping leaves nothing behind: no timer, no request, no callback', async () => {
    const world = createWorld()
    const device = await startDevice(world)
    await device.append('a', ['one'])
    await device.loop.stop()
    expect(world.clock.waiting()).toEqual([])
    const before = device.requests.length
    await device.append('a', ['two'])
    device.loop.poke()
    device.loop.setOnline(true)
    world.clock.advance(120_000)
    await nextTurn()
    expect(device.requests).toHaveLength(before)
    expect(device.loop.status()).toMatchObject({ phase: 'off', pending: 1 })
  })
})

describe('replicas that diverged', () => {
  test('two with a hundred events each meet in one order, with nothing pending and nothing lost', async () => {
    const world = createWorld()
    const devices = [await world.openDevice(), await world.openDevice()]
    for (const [i, device] of devices.entries()) {
      for (let n = 0; n < 50; n++) await device.append(`own-${i}`, [`own-${i}-${n}`])
      for (let n = 0; n < 50; n++) await device.append('shared', [`shared-${i}-${n}`])
      device.loop.start()
    }
    await world.converge()
    const [one, two] = [await devices[0]!.confirmed(), await devices[1]!.confirmed()]
    expect(two).toEqual(one)
    expect(one).toHaveLength(200)
    expect(new Set(one.map(line => line.split(' ')[1])).size).toBe(200)
    for (const i of [0, 1]) {
      const own = one.filter(line => line.includes(`"shared-${i}-`)).map(line => line.split(' ')[1])
      expect(own).toEqual(numbered(`shared-${i}`, 50).map(text => `"${text}"`))
    }
    for (const { log, rejected } of devices) {
      expect(rejected).toEqual([])
      expect(log.pendingCount()).toBe(0)
      expect(await log.verify()).toMatchObject({ ok: true })
    }
  })

  test('three that append while they sync meet as well', async () => {
    const world = createWorld()
    const devices = [await startDevice(world), await startDevice(world), await startDevice(world)]
    for (let round = 0; round < 10; round++) {
      await Promise.all(devices.map((device, i) => device.append('shared', [`${round}-${i}`])))
      world.clock.advance(LINGER_MS)
      await nextTurn()
    }
    await world.converge()
    const orders = await Promise.all(devices.map(device => device.confirmed()))
    expect(orders[0]).toHaveLength(30)
    expect(orders[1]).toEqual(orders[0])
    expect(orders[2]).toEqual(orders[0])
  })

  test('commands are decided again on what the others did; one that is refused now is surfaced', async () => {
    const world = createWorld()
    const [one, two] = [await world.openDevice(), await world.openDevice()]
    await one.fill(6)
    await two.fill(3)
    await two.fill(4)
    one.loop.start()
    await one.until(({ phase }) => phase === 'idle')
    two.loop.start()
    await world.converge()
    expect((await two.confirmed()).map(line => line.split(' ')[1])).toEqual(['{"by":6}', '{"by":3}'])
    expect(await one.confirmed()).toEqual(await two.confirmed())
    expect(two.rejected).toMatchObject([
      {
        command: { decider: 'tank', id: '1', command: { data: { by: 4 } } },
        reason: { code: 'command-refused' },
      },
    ])
    expect(two.loop.status()).toMatchObject({ rejected: 1, error: null })
  })

  test('an append that asked for it is rejected, and stays listed until it is acknowledged', async () => {
    const world = createWorld()
    const [one, two] = [await world.openDevice(), await world.openDevice()]
    await one.append('a', ['first'])
    await two.append('a', ['mine'], 'reject')
    await two.append('b', ['other'])
    one.loop.start()
    await one.until(({ phase }) => phase === 'idle')
    two.loop.start()
    await world.converge()
    expect(two.rejected).toMatchObject([{ reason: { code: 'version-conflict' }, events: [{ data: 'mine' }] }])
    expect(await two.log.rejections()).toEqual(two.rejected)
    expect(two.loop.status().rejected).toBe(1)
    expect(await one.confirmed()).toHaveLength(2)

    await two.log.acknowledgeRejection(two.rejected[0]!.id)
    two.loop.poke()
    expect((await two.until(({ rejected }) => rejected === 0)).error).toBeNull()
  })

  test('two loops over one log, as when a tab takes the lead from another, do no harm', async () => {
    const world = createWorld()
    const database = createMemoryDatabase()
    const tabs = [await world.openDevice(database), await world.openDevice(database)]
    const other = await startDevice(world)
    for (let n = 0; n < 10; n++) {
      await tabs[n % 2]!.append('a', [`tab-${n}`])
      await other.append('a', [`other-${n}`])
    }
    for (const tab of tabs) tab.loop.start()
    await world.run(() => {
      // As a hint from the other tab would have it.
      for (const { log } of tabs) void log.catchUp()
      return [...tabs, other].every(({ loop }) => {
        const { phase, pending, serverPosition } = loop.status()
        return phase === 'idle' && pending === 0 && serverPosition === 20
      })
    })
    expect(await tabs[0]!.confirmed()).toEqual(await other.confirmed())
    expect(await tabs[1]!.confirmed()).toEqual(await other.confirmed())
  })
})

describe('with a broken network or server', () => {
  test('an answer lost after the commit leaves one copy, pulled while another device goes on', async () => {
    const world = createWorld()
    const [one, two] = [await startDevice(world), await startDevice(world)]
    await one.append('a', ['mine'])
    one.faults.push(FAULTS.lostAnswer)
    world.clock.advance(LINGER_MS)
    await one.until(({ phase }) => phase === 'waiting')
    await two.until(({ serverPosition }) => serverPosition === 1)
    await two.append('a', ['theirs'])
    await world.converge()
    expect((await one.confirmed()).map(line => line.split(' ')[1])).toEqual(['"mine"', '"theirs"'])
    expect(await two.confirmed()).toEqual(await one.confirmed())
    expect(one.loop.status().error).toBeNull()
  })

  const passing: [string, Fault, string][] = [
    ['no connection', FAULTS.lostRequest, 'sync-unreachable'],
    ['500', FAULTS.failing, 'sync-unreachable'],
    ['rubbish', FAULTS.portal, 'sync-protocol'],
  ]
  test.each(passing)(
    '%s: pending stays pending, the error is shown, and it passes',
    async (_name, fault, code) => {
      const world = createWorld()
      const device = await world.openDevice()
      await device.append('a', ['mine'])
      device.faults.push(fault, fault)
      device.loop.start()
      const waiting = await device.until(({ phase }) => phase === 'waiting')
      expect(waiting).toMatchObject({ pending: 1, retryAt: world.clock.now() + 250, error: { code } })
      world.clock.advance(249)
      expect(device.requests).toHaveLength(1)
      world.clock.advance(1)
      await device.until(({ phase, retryAt }) => phase === 'waiting' && retryAt === world.clock.now() + 500)
      await world.converge()
      expect(device.loop.status()).toMatchObject({ pending: 0, error: null })
    },
  )

  test('a server that never answers is given up after 30 s, and asked for less', async () => {
    const world = createWorld()
    const device = await startDevice(world)
    await device.append('a', ['mine'])
    device.faults.push(FAULTS.hanging)
    world.clock.advance(LINGER_MS)
    await device.until(({ phase }) => phase === 'pushing')
    await world.run(() => device.requests.at(-1) === 'POST /v1/log')
    world.clock.advance(31_000)
    const { error } = await device.until(({ phase }) => phase === 'waiting')
    expect(error).toMatchObject({ code: 'sync-unreachable', facts: { timedOut: true } })
    await world.converge()
    expect(await device.confirmed()).toHaveLength(1)
  })

  test('401: stops, asks nothing more, and goes on with a new token when it is poked', async () => {
    const world = createWorld()
    const device = await world.openDevice()
    await device.append('a', ['mine'])
    device.token = 'old-token'
    device.loop.start()
    const stopped = await device.until(({ phase }) => phase === 'stopped')
    expect(stopped).toMatchObject({ pending: 1, error: { code: 'sync-refused', facts: { status: 401 } } })
    world.clock.advance(600_000)
    expect(device.requests).toHaveLength(1)
    device.token = 'good-token'
    device.loop.poke()
    await world.converge()
    expect(device.loop.status()).toMatchObject({ pending: 0, error: null })
  })

  test('without a token nothing is sent', async () => {
    const world = createWorld()
    const device = await world.openDevice()
    device.token = null
    device.loop.start()
    const { error } = await device.until(({ phase }) => phase === 'stopped')
    expect(error).toMatchObject({ code: 'sync-refused', facts: { reason: 'no-token' } })
    expect(device.requests).toEqual([])
  })

  test('413: sends less at a time, and sets a commit aside that is too large by itself', async () => {
    const world = createWorld({ maxPushBytes: 10_000 })
    const device = await world.openDevice()
    for (let n = 0; n < 12; n++) await device.append('a', ['x'.repeat(2_000)])
    device.loop.start()
    await world.converge()
    expect(await device.confirmed()).toHaveLength(12)

    await device.append('a', ['before'])
    await device.append('a', ['y'.repeat(20_000)])
    await device.append('a', ['behind'])
    await world.converge()
    expect(device.loop.status()).toMatchObject({ pending: 0, rejected: 1, error: null })
    expect(device.rejected).toMatchObject([
      { reason: { code: 'sync-refused', refusal: 'too-large' }, events: [{ streamName: 'a' }] },
    ])
    expect((await device.confirmed()).slice(12).map(line => line.split(' ')[1])).toEqual([
      '"before"',
      '"behind"',
    ])
    expect(await device.log.verify()).toMatchObject({ ok: true })
  })

  test('offline: requests nothing, aborts what is under way, and catches up when it is back', async () => {
    const world = createWorld()
    const device = await startDevice(world)
    device.faults.push(FAULTS.hanging)
    await device.append('a', ['one'])
    world.clock.advance(LINGER_MS)
    await world.run(() => device.requests.at(-1) === 'POST /v1/log')
    device.loop.setOnline(false)
    const before = device.requests.length
    await device.append('a', ['two'])
    world.clock.advance(600_000)
    await nextTurn()
    expect(device.requests).toHaveLength(before)
    expect(device.loop.status()).toMatchObject({ phase: 'offline', pending: 2, error: null })
    device.loop.setOnline(true)
    await device.until(({ phase, pending }) => phase === 'idle' && pending === 0)
  })

  test('a log that does not fit the chain is refused with evidence; the one here is intact and writable', async () => {
    const world = createWorld()
    const [one, victim] = [await startDevice(world), await world.openDevice()]
    await one.append('a', ['the truth'])
    await world.run(() => one.loop.status().pending === 0)
    victim.faults.push(async deliver => {
      const bytes = new Uint8Array(await (await deliver()).arrayBuffer())
      const at = new TextDecoder('latin1').decode(bytes).indexOf('truth')
      bytes[at] = 'T'.charCodeAt(0)
      return new Response(bytes)
    })
    await victim.append('b', ['mine'])
    victim.loop.start()
    const { error, pending } = await victim.until(({ phase }) => phase === 'stopped')
    expect(error).toMatchObject({ code: 'sync-protocol', facts: { reason: 'invalid', after: 0 } })
    expect(pending).toBe(1)
    await victim.append('b', ['more'])
    expect(await victim.log.verify()).toMatchObject({ ok: true })
    expect(await victim.confirmed()).toEqual([])
  })

  test('a commit that is refused again behind a pull is set aside, and the next one goes out', async () => {
    const world = createWorld()
    const device = await startDevice(world)
    const refusal = { reason: 'id-reused', detail: 'event 1 is recorded otherwise' }
    const { epoch } = device.log.cursor()
    const refuse: Fault = () =>
      Response.json({ epoch, accepted: 0, after: null, head: 0, checkpoint: null, refusal }, { status: 409 })
    device.faults.push(refuse, FAULTS.deliver, FAULTS.deliver, refuse)
    await device.append('a', ['one'])
    await device.append('b', ['two'])
    await world.converge()
    expect(device.rejected).toMatchObject([
      { reason: { refusal: 'id-reused', message: expect.stringContaining(refusal.detail) } },
    ])
    expect((await device.confirmed()).map(line => line.split(' ')[1])).toEqual(['"two"'])
  })

  test('a full disk is waited out', async () => {
    const world = createWorld()
    const [one, two] = [await startDevice(world), await world.openDevice()]
    await one.append('a', ['one'])
    await world.run(() => one.loop.status().pending === 0)
    two.disk.writesToFail = 1
    two.loop.start()
    await two.until(({ phase, error }) => phase === 'waiting' && error?.code === 'storage-failed')
    await world.converge()
    expect(await two.confirmed()).toHaveLength(1)
  })

  test('whatever the network does, all meet in the end', async () => {
    const fault = fc.constantFrom<keyof typeof FAULTS | 'none'>(
      'none',
      'none',
      'lostRequest',
      'lostAnswer',
      'failing',
      'portal',
    )
    const move = fc.record({ device: fc.nat({ max: 2 }), stream: fc.constantFrom('a', 'b'), fault })
    await fc.assert(
      fc.asyncProperty(fc.array(move, { minLength: 5, maxLength: 30, size: 'max' }), async moves => {
        const world = createWorld()
        const devices = [await world.openDevice(), await world.openDevice(), await world.openDevice()]
        for (const { loop } of devices) loop.start()
        for (const [n, { device, stream, fault }] of moves.entries()) {
          if (fault !== 'none') devices[device]!.faults.push(FAULTS[fault])
          await devices[device]!.append(stream, [`text-${n}`])
          world.clock.advance(LINGER_MS)
        }
        await world.converge()
        const orders = await Promise.all(devices.map(device => device.confirmed()))
        expect(orders[0]).toHaveLength(moves.length)
        expect(orders[1]).toEqual(orders[0])
        expect(orders[2]).toEqual(orders[0])
        await world.close()
      }),
      { numRuns: 15 },
    )
  })
})
