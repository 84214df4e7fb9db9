// What a stream may be called, and what an event may say.

import { describe, expect } from 'vitest'
import { type Behaviour, numbered } from './event-store-suite.ts'

export function describePayloads(name: string, behaviour: Behaviour): void {
  describe(`${name}: names and payloads`, () => {
    for (const streamName of [
      'ünï-🎲',
      'a/b?c=d&e#f%20',
      'x'.repeat(1000),
      ' ',
      'constructor',
      '__proto__',
    ]) {
      behaviour(`takes the stream name ${JSON.stringify(streamName.slice(0, 20))}`, async store => {
        await store.appendToStream(streamName, [numbered(1)])
        expect((await store.readStream(streamName)).events[0]!.metadata.streamName).toBe(streamName)
      })
    }

    for (const [title, streamName] of [
      ['empty', ''],
      ['too long', 'x'.repeat(1025)],
      ['half a surrogate pair', 'a\ud800'],
      ['text with a U+0000', 'a\0b'],
      ['of the system', '$sync'],
    ]) {
      behaviour(`refuses a stream name that is ${title}`, async store => {
        await expect(store.appendToStream(streamName!, [numbered(1)])).rejects.toMatchObject({
          code: 'invalid-event',
        })
      })
    }

    const circular: { self?: object } = {}
    circular.self = circular
    const bad: readonly (readonly [string, unknown, string])[] = [
      ['undefined', undefined, 'events[1].data'],
      ['an undefined property', { a: { b: undefined } }, 'events[1].data.a.b'],
      ['NaN', [1, Number.NaN], 'events[1].data[1]'],
      ['a Map', { m: new Map() }, 'events[1].data.m'],
      ['a Date', { when: new Date(0) }, 'events[1].data.when'],
      ['a bigint', { n: 1n }, 'events[1].data.n'],
      ['a function', { f: () => 1 }, 'events[1].data.f'],
      ['a lone surrogate', { s: 'a\udc00' }, 'events[1].data.s'],
      ['a hole', new Array(1), 'events[1].data[0]'],
    ]
    for (const [title, data, path] of bad) {
      behaviour(
        `refuses a batch whose second event has ${title}, by path, and writes nothing`,
        async store => {
          const attempt = store.appendToStream('a', [numbered(1), { type: 'Bad', data }])
          await expect(attempt).rejects.toMatchObject({ code: 'invalid-event', facts: { path } })
          expect(await store.streamExists('a')).toBe(false)
        },
      )
    }

    behaviour('refuses what refers to itself, and what is too large', async store => {
      await expect(store.appendToStream('a', [{ type: 'Bad', data: circular }])).rejects.toMatchObject({
        code: 'invalid-event',
      })
      const large = { type: 'Bad', data: 'x'.repeat(1024 * 1024) }
      await expect(store.appendToStream('a', [large])).rejects.toMatchObject({
        code: 'invalid-event',
        facts: { path: 'events[0]' },
      })
    })

    behaviour(
      "refuses ids that are no UUIDs, types without a name, and metadata that hides the log's own",
      async store => {
        await expect(store.appendToStream('a', [{ type: 'T', data: 1, id: 'seven' }])).rejects.toMatchObject({
          facts: { path: 'events[0].id' },
        })
        await expect(store.appendToStream('a', [{ type: '', data: 1 }])).rejects.toMatchObject({
          facts: { path: 'events[0].type' },
        })
        await expect(
          store.appendToStream('a', [{ type: 'T', data: 1, metadata: { hash: 'x' } }]),
        ).rejects.toMatchObject({ facts: { path: 'events[0].metadata.hash' } })
      },
    )
  })
}
