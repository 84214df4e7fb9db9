import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { CompactRange } from '../../src/integrity/compact-range.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { perfectRanges } from '../../src/integrity/merkle-tree.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import type { Access } from '../../src/server/index.ts'
import { device, pendingOf, pushBody, say, serve, type TestServer } from './test-server.ts'

const hash = await createSha256()
const signing = { name: 'sync.example.org', keyPair: await generateKeyPair() }

/** A server with an event in each of these streams, in this order, which may be read as `read` says. */
async function holding(streams: readonly (string | readonly string[])[], read: Access['read'] = true) {
  const server = serve({
    signing,
    authorize: () => ({ storeId: 'board', read, append: true }),
  })
  const one = await device()
  for (const names of streams) {
    const commit = [names].flat().map(streamName => ({ streamName, events: [{ type: 'Said', data: 1 }] }))
    await createEventStore(one).appendToStreams(commit)
  }
  const entries = (await pendingOf(one)).flat()
  await server.post(await pushBody(one, await server.epoch()))
  return { ...server, entries }
}

const query = (...patterns: string[]) =>
  patterns.map(pattern => `&streams=${encodeURIComponent(pattern)}`).join('')

/** The root that a page comes to, and the ids of what it holds: by all pages from the beginning. */
async function pulled({ pull }: Pick<TestServer, 'pull'>, patterns: string[], maxBytes: number) {
  const tree = new CompactRange(hash)
  const ids: string[] = []
  for (let after = 0; ; ) {
    const page = await pull(`after=${after}&maxBytes=${maxBytes}${query(...patterns)}`)
    const gaps = [...(page.skipped ?? [])]
    const pass = () => {
      for (; gaps[0]?.start === tree.size; gaps.shift()) {
        const { start, end, roots } = gaps[0]
        for (const [n, [from, to]] of perfectRanges([start, end]).entries())
          tree.addSubtree(roots[n]!, to - from)
      }
    }
    for (const entry of page.commits.flat()) {
      pass()
      tree.add(entry.hash)
      ids.push(eventIdOf(entry.eventId))
    }
    pass()
    expect(gaps).toEqual([])
    expect(tree.size).toBe(page.next)
    expect(page.root).toEqual(tree.root())
    if (page.next === after) return ids
    after = page.next
  }
}

describe('a page of some streams', () => {
  test('holds what is wanted, and comes to the root of the whole log, whatever is wanted', async () => {
    const stream = fc.constantFrom('cart-1', 'cart-2', 'notes', 'note')
    const commit = fc.array(stream, { minLength: 1, maxLength: 3 })
    const wanted = fc.subarray(['cart-*', 'cart-2', 'note', 'note*', 'other'], { minLength: 1 })
    await fc.assert(
      fc.asyncProperty(
        fc.array(commit, { maxLength: 30 }),
        wanted,
        fc.constantFrom(1, 400, 100_000),
        async (commits, patterns, maxBytes) => {
          const server = await holding(commits)
          const isWanted = (name: string) =>
            patterns.some(one => (one.endsWith('*') ? name.startsWith(one.slice(0, -1)) : name === one))
          const expected = server.entries.filter(({ streamName }) => isWanted(streamName))
          expect(await pulled(server, patterns, maxBytes)).toEqual(
            expected.map(({ eventId }) => eventIdOf(eventId)),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  test('says which streams it is of, and a page of all does not', async () => {
    const { pull } = await holding(['a', 'b'])
    expect(await pull(`after=0${query('a')}`)).toMatchObject({
      streams: ['a'],
      skipped: [{ start: 1, end: 2 }],
    })
    expect(await pull('after=0')).not.toHaveProperty('streams')
  })

  test('is refused for what is no pattern, and for too many', async () => {
    const { call } = await holding(['a'])
    expect((await call(`/v1/log?after=0${query('a*b')}`)).status).toBe(400)
    expect(
      (await call(`/v1/log?after=0${query(...Array.from({ length: 101 }, (_, n) => `${n}`))}`)).status,
    ).toBe(400)
    expect((await call(`/v1/log?after=0${query('x'.repeat(4_097))}`)).status).toBe(400)
  })
})

describe('a right to read some streams', () => {
  test('gives those, and says which they are where more is wanted', async () => {
    const server = await holding(['cart-1', 'notes'], ['cart-*'])
    expect(await server.pull(`after=0${query('cart-1')}`)).toMatchObject({
      commits: [[{ streamName: 'cart-1' }]],
    })
    for (const wanted of ['', query('notes'), query('cart-1', 'notes'), query('*'), query('cart*')]) {
      const answer = await server.call(`/v1/log?after=0${wanted}`)
      expect(answer.status).toBe(403)
      expect(await answer.json()).toMatchObject({ code: 'forbidden', facts: { streams: ['cart-*'] } })
    }
  })

  test('to none is a right to nothing', async () => {
    const server = await holding(['cart-1'], [])
    expect((await server.call('/v1/head')).status).toBe(403)
  })

  test('gives proofs of events in those, and of others does not tell whether there are any', async () => {
    const { call, entries } = await holding(['cart-1', 'notes'], ['cart-*'])
    const [cart, note] = entries.map(({ eventId }) => eventIdOf(eventId))
    expect((await call(`/v1/proof?eventId=${cart}`)).status).toBe(200)
    const [closed, missing] = [
      await call(`/v1/proof?eventId=${note}`),
      await call(`/v1/proof?eventId=${crypto.randomUUID()}`),
    ]
    expect([closed.status, missing.status]).toEqual([404, 404])
    expect(await closed.json()).toMatchObject({ code: 'unknown-event' })
  })

  test('gives hashes of all entries, and the bytes of none', async () => {
    const server = await holding(['cart-1', 'notes'], ['cart-*'])
    // The epoch comes with anything.
    const epoch = await server.epoch()
    expect((await server.call(`/v1/logs/${epoch}/tile/0/000.p/2`)).status).toBe(200)
    expect((await server.call(`/v1/logs/${epoch}/tile/entries/000.p/2`)).status).toBe(403)
  })

  test('that is narrowed ends a stream of hints, one that grew does not', async () => {
    for (const [now, isEnded] of [
      [['cart-1'], true],
      [false, true],
      [['cart-*', 'notes'], false],
      [true, false],
    ] as const) {
      let read: Access['read'] = ['cart-*']
      const server = serve({
        limits: { recheckMs: 20 },
        authorize: () => ({ storeId: 'board', read, append: true }),
      })
      const reader = (await server.call('/v1/hints')).body!.getReader()
      await eventOf(reader)
      read = now
      const told = eventOf(reader)
      if (!isEnded) {
        await new Promise(resolve => setTimeout(resolve, 60))
        const log = await device()
        await say(log, 'cart-1', 'x')
        await server.post(await pushBody(log, await server.epoch()))
      }
      expect(await told).toContain(isEnded ? 'forbidden' : 'event: head')
      await reader.cancel()
    }
  })
})

/** The next event of a stream of hints: signs of life are passed by. */
async function eventOf(reader: ReadableStreamDefaultReader<Uint8Array>): Promise<string> {
  for (;;) {
    const text = new TextDecoder().decode((await reader.read()).value)
    if (!text.startsWith(':')) return text
  }
}
