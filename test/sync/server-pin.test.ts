// A server that contradicts itself is not believed: what it signs is held against what it gave out.

import { describe, expect, test, vi } from 'vitest'
import { CompactRange } from '../../src/integrity/compact-range.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { TreeBuilder } from '../../src/integrity/tree-builder.ts'
import { hexOf } from '../../src/log/bytes.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import {
  decodePullResponse,
  encodePullResponse,
  type PullResponse,
} from '../../src/protocol/sync-messages.ts'
import { createSyncLoop } from '../../src/sync/sync-loop.ts'
import { copyOf, createServer, type Device, type Fault, SyncWorld, TOKEN } from './sync-world.ts'

const hash = await createSha256()

/** Puts another page in place of the next one. */
const changed =
  (change: (page: PullResponse) => Partial<PullResponse>): Fault =>
  async deliver => {
    const page = decodePullResponse(new Uint8Array(await (await deliver()).arrayBuffer()))
    return new Response(await encodePullResponse({ ...page, ...change(page) }, hash))
  }

const stopped = (device: Device) => device.until(({ phase }) => phase === 'stopped')

async function synced(...texts: string[]) {
  const world = new SyncWorld()
  const device = await world.openDevice()
  await device.append('a', texts)
  device.loop.start()
  await world.converge()
  return { world, device }
}

describe('a device', () => {
  test('keeps what the server signed of what both have', async () => {
    const { world, device } = await synced('one', 'two')
    const kept = await device.log.storage.get('sync/server-checkpoint')
    expect(new TextDecoder().decode(kept)).toMatch(/^sync\.test\/shared\/[^\n]+\n2\n/)
    await world.close()
  })

  test('stops at a server that went back and another way, and takes in nothing of it', async () => {
    const { world, device } = await synced('one', 'two')
    const older = copyOf(world.database)
    await device.append('a', ['three', 'four'])
    await world.converge()
    const confirmed = await device.confirmed()
    await world.server.close()
    // A backup is restored, and goes on with somebody else's events, further than this device has seen.
    world.server = createServer({}, older)
    const other = await world.openDevice()
    await other.append('b', ['other', 'other', 'other'])
    other.loop.start()
    await other.until(({ serverPosition }) => serverPosition === 5)
    device.loop.poke()
    const { error } = await stopped(device)
    expect(error).toMatchObject({ code: 'server-inconsistent' })
    expect(error!.facts).toMatchObject({ before: expect.stringContaining('\n4\n') })
    expect(error!.facts['checkpoint']).toContain('\n5\n')
    expect(await device.confirmed()).toEqual(confirmed)
    await world.close()
  })

  test('stops at another key, and goes on with the one that it knows', async () => {
    const { world, device } = await synced('one')
    await world.server.close()
    const impostor = { name: 'sync.test', keyPair: await generateKeyPair() }
    world.server = createServer({}, world.database, impostor)
    device.loop.poke()
    expect((await stopped(device)).error).toMatchObject({
      code: 'server-inconsistent',
      message: expect.stringContaining('another key'),
    })
    await world.server.close()
    world.server = createServer({}, world.database)
    device.loop.poke()
    await device.append('a', ['two'])
    await world.converge()
    await world.close()
  })

  test.each([
    ['words changed', (note: string) => note.replace('\n1\n', '\n2\n')],
    ['no signature', (note: string) => note.replace(/— .*/, '— somebody AAAAAAA=')],
    ['no note', () => 'nothing'],
  ])('stops at a checkpoint with %s', async (_, forge) => {
    const { world, device } = await synced('one')
    device.faults.push(changed(({ checkpoint }) => ({ checkpoint: forge(checkpoint!) })))
    device.loop.poke()
    expect((await stopped(device)).error).toMatchObject({ code: 'server-inconsistent' })
    await world.close()
  })

  test('stops at a page that leaves out an event of another stream, which no chain shows', async () => {
    const { world, device } = await synced('one')
    device.loop.setOnline(false)
    const other = await world.openDevice()
    await other.append('b', ['left out'])
    await other.append('c', ['given'])
    other.loop.start()
    await other.until(({ serverPosition }) => serverPosition === 3)
    device.faults.push(
      changed(page => ({ commits: page.commits.filter(([entry]) => entry!.streamName !== 'b') })),
    )
    device.loop.setOnline(true)
    await stopped(device)
    expect(device.loop.status().error).toMatchObject({ code: 'server-inconsistent' })
    expect(await device.confirmed()).toHaveLength(1)
    await world.close()
  })

  test('believes a server that does not sign no less than before', async () => {
    const { world, device } = await synced('one')
    device.faults.push(changed(() => ({ checkpoint: null, verifierKey: null })))
    device.loop.poke()
    await device.append('a', ['two'])
    await world.converge()
    await world.close()
  })

  test('that knows the key beforehand takes in nothing of a server with another one, or with none', async () => {
    const { world, device } = await synced('one')
    const shown = (await device.log.storage.get('sync/server-key'))!
    const serverKey = new TextDecoder().decode(shown)
    const other = formatVerifierKey((await createNoteSigner('sync.test', await generateKeyPair())).key)
    const [right, wrong] = [await world.openDevice(), await world.openDevice()]
    const loopOf = ({ log }: Device, key: string, change?: Fault) =>
      createSyncLoop({
        log,
        url: 'http://server/',
        token: () => TOKEN,
        serverKey: key,
        clock: world.clock,
        fetch: async (url, init) => {
          const request = new Request(url, init)
          const deliver = () => world.server.fetch(request)
          return change && url.includes('/v1/log?') ? change(deliver, request) : deliver()
        },
      })
    const unsigned = changed(() => ({ checkpoint: null, verifierKey: null }))
    for (const [loop, log, problem] of [
      [loopOf(wrong, other), wrong.log, 'it signs with another key than it should'],
      [loopOf(wrong, serverKey, unsigned), wrong.log, 'it does not sign, and should'],
      [loopOf(right, serverKey), right.log, null],
    ] as const) {
      loop.start()
      await vi.waitFor(() => expect(['stopped', 'idle']).toContain(loop.status().phase), 20_000)
      if (problem) expect(loop.status().error).toMatchObject({ code: 'server-inconsistent' })
      if (problem) expect(loop.status().error!.message).toContain(problem)
      expect(log.streamVersion('a')).toBe(problem ? 0 : 1)
      await loop.stop()
    }
    await world.close()
  })

  test('makes the tree of the server anew where it was damaged', async () => {
    const { world, device } = await synced('one', 'two', 'three')
    await device.log.storage.put({ 'sync/server-tree': new Uint8Array(50) })
    await device.append('a', ['four'])
    await world.converge()
    const other = await world.openDevice()
    other.loop.start()
    await world.converge()
    expect(await device.log.storage.get('sync/server-tree')).toEqual(
      await other.log.storage.get('sync/server-tree'),
    )
    await world.close()
  })
})

test('a tree that only grows has the same root as one that is built', () => {
  const [range, builder] = [new CompactRange(hash), new TreeBuilder(hash)]
  for (let n = 0; n < 700; n++) {
    expect(hexOf(range.root()), `${n}`).toBe(hexOf(builder.root()))
    const leaf = hash.digest(Uint8Array.of(n & 255, n >> 8))
    range.add(leaf)
    builder.add(leaf)
    const again = new CompactRange(hash, range.size, range.roots)
    expect(hexOf(again.root())).toBe(hexOf(range.root()))
  }
  expect(() => new CompactRange(hash, 3, range.roots)).toThrow(RangeError)
})
