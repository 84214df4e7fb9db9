import { afterEach, describe, expect, test } from 'vitest'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { createMemoryDatabase } from '../../src/storage/memory/index.ts'
import { type Device, STORE, SyncWorld } from './sync-world.ts'

let world: SyncWorld
afterEach(() => world.close())

const CARTS = ['cart-*']

/** A device that has all, with three commits on the server: two streams of carts, one of notes, one commit of both. */
async function begin(): Promise<Device> {
  world = new SyncWorld()
  const full = await world.openDevice()
  await full.append('cart-1', ['a', 'b'])
  await full.append('notes', ['n1', 'n2', 'n3'])
  await full.append('cart-2', ['c'])
  full.loop.start()
  await world.converge()
  return full
}

async function openPart(streams: readonly string[], database = createMemoryDatabase()): Promise<Device> {
  const device = await world.openDevice(database, STORE, streams)
  device.loop.start()
  return device
}

const said = (lines: readonly string[]) => lines.map(line => line.split(' ').slice(0, 2).join(' '))

/** Of the server's order, what is in carts. */
const cartsOf = async (full: Device) => (await full.confirmed()).filter(line => line.startsWith('cart-'))

describe('a device that syncs some streams', () => {
  test('holds them whole, and stands where one that has all of the store stands', async () => {
    const full = await begin()
    const part = await openPart(CARTS)
    await world.converge()
    expect(said(await part.confirmed())).toEqual(['cart-1@1 "a"', 'cart-1@2 "b"', 'cart-2@1 "c"'])
    expect(await part.confirmed()).toEqual(await cartsOf(full))
    expect(part.loop.status()).toMatchObject({ serverPosition: 6, pending: 0, error: null })
  })

  test('goes on with what comes, its own and that of others, and with nothing of its streams at all', async () => {
    const full = await begin()
    const part = await openPart(CARTS)
    await world.converge()
    await full.append('notes', ['n4'])
    await world.converge()
    await part.append('cart-1', ['d'])
    await world.converge()
    await full.append('cart-1', ['e'])
    await full.append('notes', ['n5'])
    await part.append('cart-3', ['f'])
    await world.converge()
    expect(await part.confirmed()).toEqual(await cartsOf(full))
    expect((await full.confirmed()).length).toBe(11)
  })

  test('computes the root that the server signs, of entries that it does not have', async () => {
    await begin()
    const part = await openPart(CARTS)
    await world.converge()
    const next = { epoch: part.log.cursor().epoch, after: 6, next: 6, commits: [], streams: CARTS }
    const full = world.devices[0]!
    expect(await part.log.serverRootBehind(next)).toEqual(
      await full.log.serverRootBehind({ epoch: next.epoch, after: 6, next: 6, commits: [] }),
    )
  })

  test('goes on where its tree was lost beside the log, and when it is opened again', async () => {
    const full = await begin()
    const database = createMemoryDatabase()
    const part = await openPart(CARTS, database)
    await world.converge()
    await part.loop.stop()
    await part.log.close()
    world.devices.pop()
    database.values.delete('sync/server-tree')
    await full.append('notes', ['n4'])
    await full.append('cart-2', ['d'])
    const again = await openPart(CARTS, database)
    await world.converge()
    expect(await again.confirmed()).toEqual(await cartsOf(full))
  })

  test('has of a commit to several streams what is in its own', async () => {
    const full = await begin()
    const batch = (data: string) => encodeEvents([{ type: 'Said', data }])
    await full.log.append({
      appends: ['notes', 'cart-1', 'letters', 'cart-2'].map(streamName => ({
        streamName,
        expectedStreamVersion: 'NO_CONCURRENCY_CHECK' as const,
        batch: batch(streamName),
      })),
    })
    const part = await openPart(CARTS)
    await world.converge()
    expect(said(await part.confirmed()).slice(3)).toEqual(['cart-1@3 "cart-1"', 'cart-2@2 "cart-2"'])
  })

  test('takes pages that hold nothing but hashes', async () => {
    world = new SyncWorld({ maxPullBytes: 1 })
    const full = await world.openDevice()
    for (let n = 0; n < 40; n++) await full.append(n % 13 === 0 ? 'cart-1' : 'notes', [`${n}`])
    full.loop.start()
    const part = await openPart(CARTS)
    await world.converge()
    expect(said(await part.confirmed()).map(line => line.split(' ')[1])).toEqual([
      '"0"',
      '"13"',
      '"26"',
      '"39"',
    ])
  })

  test('refuses what it does not hold, and does not take it for empty', async () => {
    await begin()
    const part = await openPart(CARTS)
    await world.converge()
    const refusal = { code: 'not-subscribed', facts: { streamName: 'notes', streams: CARTS } }
    await expect(part.append('notes', ['x'])).rejects.toMatchObject(refusal)
    expect(() => part.log.readStream('notes')).toThrowError(expect.objectContaining(refusal))
    await expect(part.fill(1)).rejects.toMatchObject({ code: 'not-subscribed' })
  })

  test.each([[[]], [['a*b']]])('is not opened for %j', async streams => {
    world = new SyncWorld()
    await expect(world.openDevice(createMemoryDatabase(), STORE, streams)).rejects.toMatchObject({
      code: 'invalid-argument',
    })
  })

  test('rebases what it appended behind what others did', async () => {
    const full = await begin()
    const part = await openPart([...CARTS, 'tank-*'])
    await world.converge()
    part.loop.setOnline(false)
    full.loop.setOnline(false)
    await full.fill(4)
    await full.append('notes', ['n4'])
    await full.append('cart-1', ['theirs'])
    await part.fill(5)
    await part.append('cart-1', ['mine'])
    full.loop.setOnline(true)
    await world.run(() => full.loop.status().pending === 0 && full.loop.status().phase === 'idle')
    part.loop.setOnline(true)
    await world.converge()
    const confirmed = said(await part.confirmed())
    expect(confirmed.slice(-4)).toEqual([
      'tank-1@1 {"by":4}',
      'cart-1@3 "theirs"',
      'tank-1@2 {"by":5}',
      'cart-1@4 "mine"',
    ])
  })
})

describe('a page that is not what it says', () => {
  test.each([
    ['leaves out a stretch and does not say so', 9, []],
    ['says a stretch with too few roots', 9, [{ start: 6, end: 9, roots: [new Uint8Array(32)] }]],
    ['says a stretch that begins elsewhere', 9, [{ start: 7, end: 9, roots: [new Uint8Array(32)] }]],
    [
      'says a stretch beyond its end',
      8,
      [{ start: 6, end: 9, roots: [new Uint8Array(32), new Uint8Array(32)] }],
    ],
  ])('since it %s is refused, and nothing of it is written', async (_case, next, skipped) => {
    await begin()
    const database = createMemoryDatabase()
    const part = await openPart(CARTS, database)
    await world.converge()
    const blocks = database.blocks.length
    const { epoch } = part.log.cursor()
    const page = { epoch, after: 6, next, commits: [], streams: CARTS, skipped }
    await expect(part.log.applyRemote(page)).rejects.toMatchObject({ code: 'sync-protocol' })
    expect(database.blocks).toHaveLength(blocks)
    expect(part.log.cursor()).toMatchObject({ serverPosition: 6 })
  })

  test('with a forged root in a stretch is another log than the server signed', async () => {
    const full = await begin()
    const part = await openPart(CARTS)
    await world.converge()
    await full.append('notes', ['n4'])
    part.faults.push(async deliver => {
      const bytes = new Uint8Array(await (await deliver()).arrayBuffer())
      const text = new TextDecoder('latin1').decode(bytes)
      const at = text.indexOf('"skipped":[[6,7,"') + '"skipped":[[6,7,"'.length
      bytes[at] = bytes[at] === 0x61 ? 0x62 : 0x61
      return new Response(bytes, { headers: { 'content-type': 'application/octet-stream' } })
    })
    await world.run(() => part.loop.status().phase === 'stopped')
    expect(part.loop.status().error).toMatchObject({ code: 'server-inconsistent' })
    expect(part.log.cursor()).toMatchObject({ serverPosition: 6 })
  })
})

describe('a server that was restored', () => {
  test('gets from a part what it lost of it, and the part goes on from the last page that is the same', async () => {
    const full = await begin()
    const part = await openPart(CARTS)
    await world.converge()
    const backup = world.backUp()
    await part.append('cart-1', ['kept by one'])
    await full.append('notes', ['kept by the other'])
    await world.converge()
    await world.restore(backup)
    for (const { loop } of world.devices) loop.poke()
    await world.converge()
    expect(said(await full.confirmed())).toHaveLength(8)
    expect((await part.confirmed()).toSorted()).toEqual((await cartsOf(full)).toSorted())
  })

  test('that has nothing any more gets all of it', async () => {
    const full = await begin()
    const part = await openPart(CARTS)
    await world.converge()
    await world.replaceServer()
    for (const { loop } of world.devices) loop.poke()
    await world.converge()
    expect((await full.confirmed()).length).toBe(6)
    expect((await part.confirmed()).toSorted()).toEqual((await cartsOf(full)).toSorted())
  })
})

describe('a commit to streams of which some are not held', () => {
  /** The server is put back to before it: the device that has a part of it comes first, then the one that has all. */
  async function restored() {
    const full = await begin()
    const part = await openPart(CARTS)
    await world.converge()
    const backup = world.backUp()
    await full.log.append({
      appends: ['notes', 'cart-1'].map(streamName => ({
        streamName,
        expectedStreamVersion: 'NO_CONCURRENCY_CHECK' as const,
        batch: encodeEvents([{ type: 'Said', data: `both ${streamName}` }]),
      })),
    })
    await world.converge()
    full.loop.setOnline(false)
    await world.restore(backup)
    part.loop.poke()
    return { full, part }
  }
  const texts = async (device: Device) =>
    (await device.confirmed()).map(line => JSON.parse(/ (".*?") /.exec(line)![1]!))

  test('is not sent as if it were whole, and comes back with who has all of it', async () => {
    const { full, part } = await restored()
    await world.run(() => part.loop.status().phase === 'idle' && part.log.pendingCount() === 0)
    expect(part.rejected).toMatchObject([
      { events: [{ streamName: 'cart-1' }], reason: { code: 'sync-refused', refusal: 'in-part' } },
    ])
    full.loop.setOnline(true)
    await world.settle()
    expect(await texts(full)).toEqual(expect.arrayContaining(['both notes', 'both cart-1']))
    expect(full.rejected).toEqual([])
    expect(await texts(part)).toContain('both cart-1')
  })

  test('holds up nothing that was appended behind it', async () => {
    const { part } = await restored()
    await part.append('cart-1', ['behind'])
    await world.run(() => part.loop.status().phase === 'idle' && part.log.pendingCount() === 0)
    expect((await texts(part)).at(-1)).toBe('behind')
    expect((await part.log.verify()).ok).toBe(true)
  })
})

describe('what others write elsewhere', () => {
  test('leaves no trace in the log of a device, however much it is', async () => {
    const full = await begin()
    const database = createMemoryDatabase()
    const part = await openPart(CARTS, database)
    await world.converge()
    const { blocks } = { blocks: database.blocks.length }
    for (let n = 0; n < 5; n++) {
      await full.append('notes', [`more ${n}`])
      await world.converge()
    }
    expect(database.blocks).toHaveLength(blocks)
    expect(part.loop.status()).toMatchObject({ serverPosition: 11, error: null })
    await full.append('cart-1', ['at last'])
    await world.converge()
    expect(await part.confirmed()).toEqual(await cartsOf(full))
  })

  test('is asked for once more where the tree of it was lost', async () => {
    const full = await begin()
    const database = createMemoryDatabase()
    const part = await openPart(CARTS, database)
    await world.converge()
    await full.append('notes', ['more'])
    await world.converge()
    database.values.delete('sync/server-tree')
    await full.append('cart-2', ['d'])
    await world.converge()
    expect(await part.confirmed()).toEqual(await cartsOf(full))
  })
})

describe('another choice of streams', () => {
  async function reopened(streams: readonly string[] | undefined, change = async (_part: Device) => {}) {
    await begin()
    const database = createMemoryDatabase()
    const part = await openPart(CARTS, database)
    await world.converge()
    await change(part)
    await part.loop.stop()
    await part.log.close()
    world.devices.pop()
    const again = await world.openDevice(database, STORE, streams)
    return again
  }

  test.each([
    [['notes'], ['notes@1', 'notes@2', 'notes@3']],
    [
      ['cart-2', 'notes'],
      ['notes@1', 'notes@2', 'notes@3', 'cart-2@1'],
    ],
    [undefined, ['cart-1@1', 'cart-1@2', 'notes@1', 'notes@2', 'notes@3', 'cart-2@1']],
  ])('%j is pulled in the place of what was held', async (streams, expected) => {
    const again = await reopened(streams)
    again.loop.start()
    await world.converge()
    const held = said(await again.confirmed()).map(line => line.split(' ')[0])
    expect(held).toEqual(expected)
    expect((await again.log.verify()).ok).toBe(true)
  })

  test('waits until the server answers: what was held stays', async () => {
    const again = await reopened(['notes'])
    again.loop.setOnline(false)
    again.loop.start()
    await world.run(() => true)
    expect(said(await again.confirmed())).toHaveLength(3)
    again.loop.setOnline(true)
    await world.converge()
    expect(said(await again.confirmed())).toHaveLength(3)
    expect(again.log.cursor().streams).toEqual(['notes'])
  })

  test('that the token does not give leaves what was held', async () => {
    const again = await reopened(['notes'])
    world.readable = ['cart-*']
    again.loop.start()
    await world.run(() => again.loop.status().phase === 'stopped')
    expect(again.loop.status().error).toMatchObject({ code: 'sync-refused' })
    expect(said(await again.confirmed()).map(line => line.split('@')[0])).toEqual([
      'cart-1',
      'cart-1',
      'cart-2',
    ])
  })

  test('and back again counts each event once', async () => {
    await begin()
    const database = createMemoryDatabase()
    for (const streams of [CARTS, ['notes'], CARTS]) {
      const part = await openPart(streams, database)
      await world.converge()
      expect(await part.log.verify()).toMatchObject({ ok: true, events: 3 })
      await part.loop.stop()
      await part.log.close()
      world.devices.pop()
    }
  })

  test('waits until what is pending is confirmed', async () => {
    const again = await reopened(['notes'], async part => {
      part.loop.setOnline(false)
      await part.append('cart-1', ['pending'])
    })
    again.loop.start()
    await world.converge()
    expect(said(await world.devices[0]!.confirmed()).at(-1)).toBe('cart-1@3 "pending"')
    expect(said(await again.confirmed()).map(line => line.split('@')[0])).toEqual(['notes', 'notes', 'notes'])
  })

  test('of the same streams in another order is the same', async () => {
    await begin()
    const database = createMemoryDatabase()
    const part = await openPart(['notes', 'cart-*'], database)
    await world.converge()
    await part.loop.stop()
    await part.log.close()
    world.devices.pop()
    const again = await openPart(['cart-*', 'notes', 'notes'], database)
    await world.converge()
    expect(again.requests.filter(request => request.includes('GET'))).toHaveLength(1)
  })
})

describe('rights to read', () => {
  test('for some streams: a device that wants no others gets them', async () => {
    const full = await begin()
    const carts = await cartsOf(full)
    world.readable = ['cart-*', 'notes']
    const part = await openPart(CARTS)
    await world.run(() => part.loop.status().phase === 'idle')
    expect(await part.confirmed()).toEqual(carts)
  })

  test.each([[undefined], [['cart-*', 'notes']], [['*']]])('are not enough for %j', async streams => {
    await begin()
    world.readable = ['cart-*']
    const part = await world.openDevice(createMemoryDatabase(), STORE, streams)
    part.loop.start()
    await world.run(() => part.loop.status().phase === 'stopped')
    expect(part.loop.status().error).toMatchObject({ code: 'sync-refused' })
    expect(await part.confirmed()).toEqual([])
  })

  test('that were narrowed: what may be read still is turned to', async () => {
    await begin()
    const database = createMemoryDatabase()
    const part = await openPart(['cart-*', 'notes'], database)
    await world.converge()
    await part.loop.stop()
    await part.log.close()
    world.devices.pop()
    world.readable = ['notes']
    const again = await openPart(['notes'], database)
    await world.run(() => again.loop.status().phase === 'idle')
    expect(said(await again.confirmed()).map(line => line.split('@')[0])).toEqual(['notes', 'notes', 'notes'])
  })
})
