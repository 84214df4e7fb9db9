import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { BlockWriter } from '../../src/log/block-writer.ts'
import { ByteWriter, utf8 } from '../../src/log/bytes.ts'
import type { CommitNote } from '../../src/log/commit-note.ts'
import { type Entry, KIND_AMENDMENT, KIND_SYSTEM } from '../../src/log/entry.ts'
import type { Event } from '../../src/log/event.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { MAX_JSON_DEPTH } from '../../src/log/json-text.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import {
  decodeErrorBody,
  decodeHead,
  decodeHint,
  decodePullResponse,
  decodePushReceipt,
  decodePushRequest,
  encodePullResponse,
  encodePushRequest,
  MalformedMessage,
  type MessageFault,
} from '../../src/protocol/sync-messages.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'

const hash = await createSha256()

const entry: Entry = {
  kind: 0,
  streamName: 'cart-1',
  streamVersion: 1,
  previous: new Uint8Array(32).fill(1),
  hash: new Uint8Array(32).fill(2),
  recordedAt: 1_700_000_000_000,
  eventId: new Uint8Array(16).fill(3),
  salt: new Uint8Array(16).fill(4),
  type: 'ItemAdded',
  schemaVersion: 1,
  payload: utf8('{"item":"milk"}'),
  metadata: utf8('{}'),
}

const pushOf = (...commits: Entry[][]) => encodePushRequest({ epoch: 'e1', commits }, hash)

/** The fault that a message is refused for. */
function faultOf(decode: () => unknown): MessageFault {
  try {
    decode()
  } catch (error) {
    if (error instanceof MalformedMessage) return error.fault
    throw error
  }
  throw new Error('It was accepted')
}

const faultOfEntry = async (changes: Partial<Entry>) => {
  const bytes = await pushOf([{ ...entry, ...changes }])
  return faultOf(() => decodePushRequest(bytes))
}

/** What a log has to send when events are appended, each list as one commit. */
async function commitsOf(appends: readonly { streamName: string; events: readonly Event[] }[]) {
  const log = await openLog({ storage: memoryStorage(), storeId: 's' })
  const store = createEventStore(log)
  for (const { streamName, events } of appends) await store.appendToStream(streamName, events)
  const commits = (await log.pendingCommits(Infinity)).map(({ entries }) => [...entries])
  await log.close()
  return commits
}

/** Bytes as text: typed arrays are compared slowly, byte by byte. */
const readable = (commits: readonly (readonly Entry[])[]) =>
  commits.map(commit =>
    commit.map(one =>
      Object.fromEntries(
        Object.entries(one).map(([key, value]) => [
          key,
          value instanceof Uint8Array ? Buffer.from(value).toString('latin1') : value,
        ]),
      ),
    ),
  )

const nested = (depth: number): unknown => (depth === 1 ? [] : [nested(depth - 1)])

describe('push and pull', () => {
  test('carry commits as they are', async () => {
    const commits = [[entry, { ...entry, streamName: 'cart-2' }], [{ ...entry, streamVersion: 7 }]]
    expect(decodePushRequest(await pushOf(...commits))).toEqual({ epoch: 'e1', commits })
    const page = {
      epoch: 'e1',
      after: 3,
      next: 6,
      head: 9,
      checkpoint: 'note',
      verifierKey: 'key',
      root: null,
      erasures: 2,
      maxPushBytes: 1_000,
      features: ['streams'],
      commits,
    }
    expect(decodePullResponse(await encodePullResponse(page, hash))).toEqual(page)
  })

  test('carry nothing, too', async () => {
    const page = {
      epoch: 'e1',
      after: 3,
      next: 3,
      head: 3,
      checkpoint: null,
      verifierKey: null,
      root: null,
      erasures: 0,
      maxPushBytes: null,
      features: [],
      commits: [],
    }
    expect(decodePullResponse(await encodePullResponse(page, hash))).toEqual(page)
  })

  test('keep a commit whole that takes several blocks', async () => {
    const data = 'x'.repeat(40_000)
    const events = Array.from({ length: 5 }, () => ({ type: 'T', data }))
    const commits = await commitsOf([
      { streamName: 'a', events },
      { streamName: 'a', events: events.slice(0, 1) },
    ])
    const decoded = decodePushRequest(await pushOf(...commits)).commits
    expect(decoded.map(commit => commit.length)).toEqual([5, 1])
    expect(readable(decoded)).toEqual(readable(commits))
  })

  test('take all that an append takes', { timeout: 30_000 }, async () => {
    const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 20 }).filter(isAppendableName)
    const event = fc.record(
      {
        type: name,
        data: fc.jsonValue({ maxDepth: 5, stringUnit: 'binary' }).filter(isWellFormed),
        tags: fc.array(name, { maxLength: 3 }),
        metadata: fc.dictionary(
          fc.constantFrom('who', '__proto__', 'toJSON', 'ü'),
          fc.double({ noNaN: true, noDefaultInfinity: true }),
        ),
        schemaVersion: fc.integer({ min: 1, max: 0xffff }),
      },
      { requiredKeys: ['type', 'data'] },
    )
    const append = fc.record({ streamName: name, events: fc.array(event, { minLength: 1, maxLength: 4 }) })
    await fc.assert(
      fc.asyncProperty(fc.array(append, { maxLength: 4 }), async appends => {
        const commits = await commitsOf(appends as Parameters<typeof commitsOf>[0])
        const decoded = decodePushRequest(await pushOf(...commits))
        expect(readable(decoded.commits)).toEqual(readable(commits))
      }),
      { numRuns: 40 },
    )
  })

  test('take data and metadata as deep as an append takes them, and no deeper', async () => {
    const deepest = nested(MAX_JSON_DEPTH)
    const metadata = { deep: nested(MAX_JSON_DEPTH - 1) }
    const commits = await commitsOf([{ streamName: 'a', events: [{ type: 'T', data: deepest, metadata }] }])
    expect(decodePushRequest(await pushOf(...commits)).commits).toEqual(commits)
    const deeper = JSON.stringify(nested(MAX_JSON_DEPTH + 1))
    expect(await faultOfEntry({ payload: utf8(deeper) })).toBe('json')
    expect(await faultOfEntry({ metadata: utf8(`{"metadata":{"deep":${JSON.stringify(deepest)}}}`) })).toBe(
      'json',
    )
  })
})

describe('frames', () => {
  test('refuse a message that is cut anywhere', async () => {
    const bytes = await pushOf([entry, entry], [entry])
    const headEnd = 4 + JSON.stringify({ epoch: 'e1' }).length
    for (let length = 0; length < bytes.length; length++) {
      // Cut right behind the head, it is a push of nothing.
      if (length === headEnd) expect(decodePushRequest(bytes.subarray(0, length)).commits).toEqual([])
      else expect(faultOf(() => decodePushRequest(bytes.subarray(0, length)))).toBe('framing')
    }
  })

  test('refuse lengths that are too small or too large', async () => {
    const bytes = await pushOf([entry])
    const blockLength = 4 + JSON.stringify({ epoch: 'e1' }).length
    for (const [at, length] of [
      [0, 0xffff_ffff],
      [0, 1],
      [0, 0],
      [blockLength, 0xffff_ffff],
      [blockLength, 0],
      [blockLength, 40],
    ] as const) {
      const wrong = bytes.slice()
      new DataView(wrong.buffer).setUint32(at, length)
      expect(['framing', 'json', 'block']).toContain(faultOf(() => decodePushRequest(wrong)))
    }
  })

  test('refuse every other message by a MalformedMessage, and no other error', {
    timeout: 30_000,
  }, async () => {
    const whole = await pushOf([entry, { ...entry, streamVersion: 2, previous: entry.hash }])
    const anything = fc.uint8Array({ maxLength: 300 })
    const changed = fc
      .array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 })
      .map(changes => {
        const bytes = whole.slice()
        for (const [at, byte] of changes) bytes[at] = byte
        return bytes
      })
    fc.assert(
      fc.property(fc.oneof(anything, changed), bytes => {
        try {
          decodePushRequest(bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(MalformedMessage)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('refuse a head that is no JSON, no object, no UTF-8, or nests without end', async () => {
    const framed = (head: Uint8Array) => {
      const writer = new ByteWriter()
      writer.u32(head.length)
      writer.raw(head)
      return writer.bytes()
    }
    const refused = (head: Uint8Array) => faultOf(() => decodePushRequest(framed(head)))
    expect(refused(utf8('{'))).toBe('json')
    expect(refused(utf8('[]'))).toBe('unexpected')
    expect(refused(utf8('null'))).toBe('unexpected')
    expect(refused(utf8('{}'))).toBe('unexpected')
    expect(refused(utf8('{"epoch":""}'))).toBe('unexpected')
    expect(refused(Uint8Array.of(0x22, 0xff, 0x22))).toBe('json')
    expect(refused(utf8('['.repeat(20_000)))).toBe('json')
  })

  test('refuse a block of another format', async () => {
    const bytes = await pushOf([entry])
    const magic = bytes.indexOf('S'.charCodeAt(0))
    expect(new TextDecoder().decode(bytes.subarray(magic, magic + 4))).toBe('SDB1')
    bytes[magic + 3] = '2'.charCodeAt(0)
    expect(faultOf(() => decodePushRequest(bytes))).toBe('block')
  })

  test('refuse a note, and a commit without an end', async () => {
    const withBlock = async (end: (writer: BlockWriter) => void) => {
      const blocks = new BlockWriter(hash, 1)
      blocks.add(entry)
      end(blocks)
      const writer = new ByteWriter()
      const head = utf8('{"epoch":"e1"}')
      for (const bytes of [head, ...(await blocks.finish()).map(block => block.bytes)]) {
        writer.u32(bytes.length)
        writer.raw(bytes)
      }
      return writer.bytes()
    }
    const endedBy = (note: CommitNote | null) => withBlock(writer => writer.endCommit(note))
    expect(decodePushRequest(await endedBy(null)).commits).toEqual([[entry]])
    const noted = await endedBy({ onConflict: 'reject' })
    expect(faultOf(() => decodePushRequest(noted))).toBe('block')
    const endless = await withBlock(() => {})
    expect(faultOf(() => decodePushRequest(endless))).toBe('block')
  })
})

describe('entries', () => {
  test('of the system are refused, by kind and by stream', async () => {
    expect(await faultOfEntry({ kind: KIND_SYSTEM })).toBe('entry')
    expect(await faultOfEntry({ streamName: '$sync' })).toBe('entry')
    expect(await faultOfEntry({ streamName: '$' })).toBe('entry')
  })

  test('of a kind that is not known are told apart from wrong ones', async () => {
    for (const kind of [3, 127, 129, 255]) expect(await faultOfEntry({ kind })).toBe('newer')
  })

  test('that amend are carried as they are, in the commit of what they put in', async () => {
    const log = await openLog({ storage: memoryStorage(), storeId: 's' })
    const store = createEventStore(log)
    const id = newEventId()
    await store.appendToStream('a', [{ id, type: 'T', data: 1 }])
    const amendment = { kind: 'replace', eventId: id, event: { type: 'T', data: 2 } } as const
    await store.amendStream('a', [amendment], { reason: 'zwei €' })
    const commits = (await log.pendingCommits(Infinity)).map(({ entries }) => [...entries])
    const decoded = decodePushRequest(await pushOf(...commits))
    expect(readable(decoded.commits)).toEqual(readable(commits))
    expect(decoded.commits.map(commit => commit.map(({ kind }) => kind))).toEqual([[0], [0, KIND_AMENDMENT]])
    expect(await faultOfEntry({ kind: KIND_AMENDMENT, payload: utf8('{') })).toBe('json')
    expect(await faultOfEntry({ kind: KIND_AMENDMENT, streamName: '$sync' })).toBe('entry')
    await log.close()
  })

  test('with names that no append takes are refused', async () => {
    for (const name of ['', 'a\0b', 'x'.repeat(1025), '€'.repeat(342)]) {
      expect(await faultOfEntry({ streamName: name })).toBe('entry')
      expect(await faultOfEntry({ type: name })).toBe('entry')
    }
    expect(decodePushRequest(await pushOf([{ ...entry, streamName: '€'.repeat(341) }])).commits).toHaveLength(
      1,
    )
    expect(await faultOfEntry({ schemaVersion: 0 })).toBe('entry')
  })

  test('with a payload or metadata that is no JSON are refused', async () => {
    for (const field of ['payload', 'metadata'] as const) {
      expect(await faultOfEntry({ [field]: utf8('{') })).toBe('json')
      expect(await faultOfEntry({ [field]: utf8('{} {}') })).toBe('json')
      expect(await faultOfEntry({ [field]: Uint8Array.of(0x22, 0xff, 0x22) })).toBe('json')
      expect(await faultOfEntry({ [field]: utf8('['.repeat(20_000)) })).toBe('json')
      expect(await faultOfEntry({ [field]: new Uint8Array() })).toBe('block')
    }
  })

  test('with two halves that only together are JSON are refused', async () => {
    const bytes = await pushOf([
      { ...entry, payload: utf8('[1') },
      { ...entry, payload: utf8('2]') },
    ])
    expect(faultOf(() => decodePushRequest(bytes))).toBe('json')
  })

  test('with values that no append takes are refused', async () => {
    expect(await faultOfEntry({ payload: utf8('{"n":1e999}') })).toBe('entry')
    expect(await faultOfEntry({ payload: utf8('"\\ud800"') })).toBe('entry')
    expect(await faultOfEntry({ metadata: utf8('{"metadata":{"n":-1e999}}') })).toBe('entry')
  })

  test('with metadata of another shape than readers count on are refused', async () => {
    for (const metadata of ['null', '5', '[]', '{"metadata":null}', '{"metadata":[]}']) {
      expect(await faultOfEntry({ metadata: utf8(metadata) })).toBe('unexpected')
    }
    for (const tags of ['5', 'null', '[5]', '[""]', '["a\\u0000"]']) {
      expect(await faultOfEntry({ metadata: utf8(`{"tags":${tags}}`) })).toBe('entry')
    }
  })

  test('that speak for the log in their metadata are refused', async () => {
    for (const name of ['streamName', 'globalPosition', 'status', 'hash', 'eventId']) {
      expect(await faultOfEntry({ metadata: utf8(`{"metadata":{"${name}":1}}`) })).toBe('entry')
    }
  })

  test('over the size of an event are refused', async () => {
    const jsonOf = (bytes: number) => utf8(`"${'x'.repeat(bytes - 4)}"`)
    const largest = { ...entry, payload: jsonOf(1024 * 1024) }
    expect(readable(decodePushRequest(await pushOf([largest])).commits)).toEqual(readable([[largest]]))
    expect(await faultOfEntry({ payload: jsonOf(1024 * 1024 + 1) })).toBe('entry')
  })
})

describe('messages in JSON', () => {
  const receipt = { epoch: 'e1', accepted: 2, after: 3, head: 5, checkpoint: null, refusal: null }
  const head = {
    protocol: 1,
    epoch: 'e1',
    position: 5,
    maxPushBytes: 10,
    maxPullBytes: 20,
    features: [],
    keys: null,
  }
  const place = { epoch: 'e1', after: 0, next: 0, head: 0 }
  const page = {
    ...place,
    checkpoint: null,
    verifierKey: null,
    root: null,
    erasures: 0,
    maxPushBytes: null,
    features: [],
  }

  test('come out as they went in', () => {
    const refusal = { reason: 'stale', detail: 'version 2 does not follow' }
    expect(decodePushReceipt(receipt)).toEqual(receipt)
    expect(decodePushReceipt({ ...receipt, after: null, refusal })).toEqual({
      ...receipt,
      after: null,
      refusal,
    })
    expect(decodeHead(head)).toEqual(head)
    const keys = { log: 'key', witness: 'key' }
    expect(decodeHead({ ...head, keys })).toEqual({ ...head, keys })
    expect(decodePushReceipt({ ...receipt, checkpoint: 'note' }).checkpoint).toBe('note')
    expect(decodeHint('{"position":5,"epoch":"e1","erasures":1}')).toEqual({
      position: 5,
      epoch: 'e1',
      erasures: 1,
    })
    const body = { code: 'malformed', message: 'No', facts: { at: 1 } }
    expect(decodeErrorBody(body)).toEqual(body)
    expect(decodeErrorBody({ code: 'malformed', message: 'No' })).toEqual({ ...body, facts: {} })
  })

  test('lose what they do not say', () => {
    expect(decodeHead({ ...head, extra: 1 })).toEqual(head)
  })

  test('of the first releases name no features; what is no list of names is refused', () => {
    const { features: _, ...firstHead } = head
    expect(decodeHead(firstHead)).toEqual(head)
    for (const features of [null, 'streams', [1], {}, Array(101).fill('x')]) {
      expect(faultOf(() => decodeHead({ ...head, features }))).toBe('unexpected')
    }
  })

  test('are refused with a field missing or of another type', () => {
    const { features: _, ...firstHead } = head
    const wrong = [undefined, null, true, [], {}, -1, 1.5, 2 ** 53, Number.NaN, 'x'.repeat(70_000)]
    const cases: [(json: never) => unknown, Record<string, unknown>, nullable?: string[]][] = [
      [decodePushReceipt, receipt, ['after', 'refusal', 'checkpoint']],
      [decodeHead, firstHead, ['keys']],
      [decodeErrorBody, { code: 'c', message: 'm' }],
    ]
    for (const [decode, good, nullable = []] of cases) {
      for (const key of Object.keys(good)) {
        for (const value of wrong) {
          if (value === null && nullable.includes(key)) continue
          expect(faultOf(() => decode({ ...good, [key]: value } as never))).toBe('unexpected')
        }
      }
      for (const value of [undefined, null, 5, 'text', []]) {
        expect(faultOf(() => decode(value as never))).toBe('unexpected')
      }
    }
  })

  test('are refused with an empty epoch, which is how a replica says that it knows no server', async () => {
    expect(faultOf(() => decodePushReceipt({ ...receipt, epoch: '' }))).toBe('unexpected')
    expect(faultOf(() => decodeHead({ ...head, epoch: '' }))).toBe('unexpected')
    expect(faultOf(() => decodeHint('{"position":5,"epoch":"","erasures":0}'))).toBe('unexpected')
    const bytes = await encodePullResponse({ ...page, epoch: '', commits: [] }, hash)
    expect(faultOf(() => decodePullResponse(bytes))).toBe('unexpected')
  })

  test('are refused with a reason that is not known', () => {
    const refusal = { reason: 'mood', detail: '' }
    expect(faultOf(() => decodePushReceipt({ ...receipt, refusal }))).toBe('unexpected')
  })

  test('are refused as hints that are no JSON, or nest without end', () => {
    expect(faultOf(() => decodeHint(''))).toBe('json')
    expect(faultOf(() => decodeHint('['.repeat(20_000)))).toBe('json')
    expect(faultOf(() => decodeHint('{"position":-1,"epoch":"e1","erasures":0}'))).toBe('unexpected')
  })
})

function isAppendableName(name: string): boolean {
  return isWellFormed(name) && !name.includes('\0') && !name.startsWith('$')
}

function isWellFormed(value: unknown): boolean {
  return !/\\ud[89a-f]/i.test(JSON.stringify(value))
}
