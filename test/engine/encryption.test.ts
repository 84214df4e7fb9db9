import { createDecipheriv, webcrypto } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { EventCipher } from '../../src/engine/encryption/event-cipher.ts'
import { createMemoryShelf, KeyRing } from '../../src/engine/encryption/key-ring.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { createProjector, type Projector } from '../../src/engine/replay/projector.ts'
import { utf8 } from '../../src/log/bytes.ts'
import { contentAad } from '../../src/log/encrypted-event.ts'
import type { Entry } from '../../src/log/entry.ts'
import type { Event, RecordedEvent } from '../../src/log/event.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { bytesOfEventId, newEventId } from '../../src/log/event-id.ts'
import type { App } from '../../src/model/app.ts'
import type { EncryptionOptions } from '../../src/model/encryption.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { placesOf } from '../support/stored-text.ts'

const SECRET = 'the-name-of-somebody'
const storeId = 's'

const words = (state: readonly string[] | null, event: RecordedEvent): readonly string[] => [
  ...(state ?? []),
  (event.data as { text: string }).text,
]
const app = {
  deciders: {
    note: {
      streamName: (id: string) => `note-${id}`,
      initialState: () => [] as readonly string[],
      evolve: words,
      decide: (command: { data: { text: string } }, state: readonly string[]) => ({
        type: 'Said',
        data: { text: `${state.length}:${command.data.text}` },
      }),
    },
  },
  projections: {
    notes: { canHandle: ['Said'], initialState: () => null, evolve: words, snapshot: { every: 2 } },
    board: {
      canHandle: ['Said'],
      getDocumentId: () => 'all',
      initialState: () => null,
      evolve: words,
      snapshot: { every: 2 },
    },
  },
  merges: {
    both: {
      merge: ({ local, remote }: { local: readonly RecordedEvent[]; remote: readonly RecordedEvent[] }) =>
        local.map(event => ({
          ...event,
          data: { text: `${(event.data as { text: string }).text}+${remote.length}` },
        })),
    },
  },
} as unknown as App

const rawKey = (byte: number): Uint8Array<ArrayBuffer> => new Uint8Array(32).fill(byte)

/** One key for each stream: the part of its name behind the dash, or all. */
const bySubject: NonNullable<EncryptionOptions['keyIdFor']> = ({ streamName }) =>
  streamName.split('-')[1] ?? 'all'

type Device = Readonly<{ log: EventLog; ring: KeyRing; database: MemoryDatabase }>

async function openDevice({
  database = createMemoryDatabase(),
  ring = new KeyRing({ shelf: createMemoryShelf() }),
  keyIdFor = bySubject as EncryptionOptions['keyIdFor'],
  keys = {} as Readonly<Record<string, number>>,
} = {}): Promise<Device> {
  for (const [keyId, byte] of Object.entries(keys)) await ring.add(keyId, rawKey(byte))
  const log = await openLog({
    storage: memoryStorage({ database }),
    storeId,
    app,
    encryption: { ring, keyIdFor },
  })
  return { log, ring, database }
}

async function say(log: EventLog, streamName: string, ...texts: string[]): Promise<string[]> {
  const ids: string[] = []
  for (const text of texts) {
    const id = newEventId()
    ids.push(id)
    await createEventStore(log).appendToStream(streamName, [{ type: 'Said', id, data: { text } }])
  }
  return ids
}

const textsIn = async (log: EventLog, streamName: string): Promise<string[]> => {
  const { events } = await createEventStore(log).readStream(streamName)
  return events.map(({ data }) => (data as { text: string }).text)
}

const openServer = () => openLog({ storage: memoryStorage(), storeId, isAuthority: true })

async function pull(device: EventLog, server: EventLog): Promise<void> {
  const after = device.cursor().serverPosition
  const { commits, next } = await server.readCommits(after, Infinity)
  await device.applyRemote({ epoch: 'e', after, commits, next })
}

async function push(device: EventLog, server: EventLog): Promise<void> {
  const { refusal } = await server.admit(
    (await device.pendingCommits(Infinity)).map(({ entries }) => entries),
  )
  expect(refusal).toBeNull()
  await pull(device, server)
}

const pendingEntries = async (log: EventLog): Promise<Entry[]> =>
  (await log.pendingCommits(Infinity)).flatMap(({ entries }) => entries)

describe('the form', () => {
  test('is what any AES-256-GCM decrypts: a golden vector', async () => {
    const event = {
      type: 'Said',
      schemaVersion: 3,
      id: '01890000-0000-7000-8000-000000000001',
    }
    const iv = '000102030405060708090a0b'
    // Made once with node:crypto alone, of the layout in docs/encryption.md.
    const aad =
      '73747265616d64696e676f2f656e6372797074696f6e2f310000047368' +
      '6f700006626f782d343201890000000070008000000000000001000453616964' +
      '0003'
    expect(
      Buffer.from(
        contentAad({
          storeId: 'shop',
          streamName: 'box-42',
          eventId: bytesOfEventId(event.id),
          type: event.type,
          schemaVersion: event.schemaVersion,
        }),
      ).toString('hex'),
    ).toBe(aad)
    const key = await webcrypto.subtle.importKey('raw', rawKey(7), 'AES-GCM', false, ['encrypt'])
    const sealed = Buffer.from(
      await webcrypto.subtle.encrypt(
        { name: 'AES-GCM', iv: Buffer.from(iv, 'hex'), additionalData: Buffer.from(aad, 'hex') },
        key,
        utf8('[{"text":"hello"},{"tags":["a"]}]'),
      ),
    )
    const payload = `"${Buffer.concat([Buffer.from(iv, 'hex'), sealed]).toString('base64')}"`
    expect(payload).toBe(GOLDEN)
    const ring = new KeyRing({ shelf: createMemoryShelf() })
    await ring.add('k', rawKey(7))
    const cipher = new EventCipher({ storeId: 'shop', ring, keyIdFor: undefined })
    const opened = await cipher.open({
      streamName: 'box-42',
      eventId: bytesOfEventId(event.id),
      type: 'Said',
      schemaVersion: 3,
      payload: utf8(GOLDEN),
      metadata: { encryption: { suite: 1, keyId: 'k' } },
    })
    expect(opened).toMatchObject({ state: 'open', plaintext: utf8('[{"text":"hello"},{"tags":["a"]}]') })
  })

  test('of an appended event is opened by node:crypto, and has a marker and nothing else in clear', async () => {
    const { log, database } = await openDevice({ keys: { x: 5 } })
    const id = newEventId()
    const event = { type: 'Said', id, data: { text: SECRET }, tags: ['t'], metadata: { who: SECRET } }
    await createEventStore(log).appendToStream('note-x', [event])
    const [entry] = await pendingEntries(log)
    expect(JSON.parse(Buffer.from(entry!.metadata).toString())).toEqual({
      encryption: { suite: 1, keyId: 'x' },
    })
    const bytes = Buffer.from(JSON.parse(Buffer.from(entry!.payload).toString()), 'base64')
    const decipher = createDecipheriv('aes-256-gcm', rawKey(5), bytes.subarray(0, 12))
    decipher.setAAD(
      contentAad({
        storeId,
        streamName: 'note-x',
        eventId: bytesOfEventId(id),
        type: 'Said',
        schemaVersion: 1,
      }),
    )
    decipher.setAuthTag(bytes.subarray(-16))
    const plain = Buffer.concat([decipher.update(bytes.subarray(12, -16)), decipher.final()]).toString()
    expect(JSON.parse(plain)).toEqual([{ text: SECRET }, { tags: ['t'], metadata: { who: SECRET } }])
    expect(placesOf(SECRET, database)).toEqual([])
    const { events } = await createEventStore(log).readStream('note-x')
    expect(events).toMatchObject([
      { data: { text: SECRET }, tags: ['t'], metadata: { who: SECRET, eventId: id } },
    ])
    expect(await log.verify()).toMatchObject({ ok: true })
    await log.close()
  })

  test('does not decrypt in another event, stream, store, type or shape', async () => {
    const ring = new KeyRing({ shelf: createMemoryShelf() })
    await ring.add('k', rawKey(1))
    const cipher = new EventCipher({ storeId, ring, keyIdFor: () => 'k' })
    const event: Event = { type: 'Said', id: newEventId(), data: 1 }
    const batch = await cipher.encrypt('a', encodeEvents([event]))
    const sealed = {
      streamName: 'a',
      eventId: batch.ids,
      type: 'Said',
      schemaVersion: 1,
      payload: batch.payloads.bytes.subarray(1, -1),
      metadata: { encryption: { suite: 1, keyId: 'k' } },
    }
    expect(await cipher.open(sealed)).toMatchObject({ state: 'open' })
    const elsewhere = [
      { ...sealed, streamName: 'b' },
      { ...sealed, eventId: bytesOfEventId(newEventId()) },
      { ...sealed, type: 'Sold' },
      { ...sealed, schemaVersion: 2 },
      { ...sealed, metadata: { encryption: { suite: 2, keyId: 'k' } } },
      { ...sealed, payload: utf8('"short"') },
    ]
    for (const other of elsewhere) {
      const opened = await cipher.open(other)
      expect(opened).toMatchObject({ state: 'failed', error: { code: 'decryption-failed' } })
    }
    const inOtherStore = new EventCipher({ storeId: 'other', ring, keyIdFor: undefined })
    expect(await inOtherStore.open(sealed)).toMatchObject({ state: 'failed' })
    // Names that run together when their lengths are not told.
    const apart = contentAad({ ...sealed, storeId: 'ab', streamName: 'c' })
    expect(contentAad({ ...sealed, storeId: 'a', streamName: 'bc' })).not.toEqual(apart)
  })

  test('refuses an event that is too large once it is encrypted, and says so', async () => {
    const { log } = await openDevice({ keys: { x: 1 } })
    const store = createEventStore(log)
    await store.appendToStream('note-x', [{ type: 'Said', data: { text: 'x'.repeat(700_000) } }])
    const large = store.appendToStream('note-x', [{ type: 'Said', data: { text: 'x'.repeat(900_000) } }])
    await expect(large).rejects.toMatchObject({ code: 'invalid-event', message: /once it is encrypted/ })
    await log.close()
  })
})

const GOLDEN = '"AAECAwQFBgcICQoLQ/rLBHhxrWtNkI35jjQD2JwQzaxsAxBCNPQ4mO/1MHiDTRoobAeseLtIemfGiMuJEQ=="'

describe('writing', () => {
  test('keeps the order of appends, those in clear between those that are encrypted', async () => {
    const { log } = await openDevice({
      keyIdFor: ({ type }) => (type === 'Secret' ? 'k' : null),
      keys: { k: 1 },
    })
    const store = createEventStore(log)
    const types = Array.from({ length: 20 }, (_, i) => (i % 3 === 0 ? 'Secret' : 'Said'))
    await Promise.all(types.map((type, i) => store.appendToStream('a', [{ type, data: i }])))
    const { events } = await store.readStream('a')
    expect(events.map(({ data }) => data)).toEqual(types.map((_, i) => i))
    await log.close()
  })

  test('is idempotent by id and content, though no ciphertext is like another', async () => {
    const { log, ring } = await openDevice({ keys: { x: 1 } })
    const store = createEventStore(log)
    const event = { type: 'Said', id: newEventId(), data: { text: 'once' } }
    const first = await store.appendToStream('note-x', [event])
    expect(await store.appendToStream('note-x', [event])).toEqual({ ...first, idempotent: true })
    const other = store.appendToStream('note-x', [{ ...event, data: { text: 'twice' } }])
    await expect(other).rejects.toMatchObject({ code: 'id-conflict' })
    // One that begins with it, too.
    await ring.add('n', rawKey(2))
    const number = { type: 'Said', id: newEventId(), data: 12 }
    await store.appendToStream('note-n', [number])
    await expect(store.appendToStream('note-n', [{ ...number, data: 1 }])).rejects.toMatchObject({
      code: 'id-conflict',
    })
    await log.close()
  })

  test('is refused without the key, and other appends of the same tick are not', async () => {
    const { log, database } = await openDevice({ keys: { x: 1 } })
    const store = createEventStore(log)
    const [refused, done] = await Promise.allSettled([
      store.appendToStream('note-y', [{ type: 'Said', data: { text: SECRET } }]),
      store.appendToStream('note-x', [{ type: 'Said', data: { text: 'fine' } }]),
    ])
    expect(refused).toMatchObject({
      status: 'rejected',
      reason: { code: 'key-missing', facts: { keyId: 'y' } },
    })
    expect(done.status).toBe('fulfilled')
    const command = { decider: 'note', id: 'y', command: { type: 'Say', data: { text: SECRET } } }
    await expect(log.execute({ ...command, commandId: newEventId() })).rejects.toMatchObject({
      code: 'key-missing',
    })
    expect(placesOf(SECRET, database)).toEqual([])
    await log.close()
  })

  test('of commands leaves neither events nor the command in clear, and the decider sees what it folds', async () => {
    const { log, database } = await openDevice({ keys: { x: 1 } })
    for (const text of ['a', SECRET]) {
      const command = { decider: 'note', id: 'x', command: { type: 'Say', data: { text } } }
      await log.execute({ ...command, commandId: newEventId() })
    }
    expect(await textsIn(log, 'note-x')).toEqual(['0:a', `1:${SECRET}`])
    expect(placesOf(SECRET, database)).toEqual([])
    await log.close()
  })

  test('goes over to another key, and what is recorded keeps its own', async () => {
    let keyId = 'old'
    const { log } = await openDevice({ keyIdFor: () => keyId, keys: { old: 1, new: 2 } })
    await say(log, 'a', '1')
    keyId = 'new'
    await say(log, 'a', '2')
    const entries = await pendingEntries(log)
    const keyIds = entries.map(
      ({ metadata }) => JSON.parse(Buffer.from(metadata).toString()).encryption.keyId,
    )
    expect(keyIds).toEqual(['old', 'new'])
    expect(await textsIn(log, 'a')).toEqual(['1', '2'])
    await log.close()
  })

  test('of amendments encrypts the events that they put in', async () => {
    const { log, database } = await openDevice({ keys: { x: 1 } })
    await say(log, 'note-x', 'a')
    await createEventStore(log).amendStream(
      'note-x',
      [{ kind: 'insert', after: null, event: { type: 'Said', data: { text: SECRET } } }],
      { reason: 'it was so' },
    )
    expect(await textsIn(log, 'note-x')).toEqual([SECRET, 'a'])
    expect(placesOf(SECRET, database)).toEqual([])
    await log.close()
  })
})

const states = async (of: Projector, streamName = 'note-x') => [
  (await of.latest('notes', streamName))?.state ?? null,
  (await of.latest('board', 'all'))?.state ?? null,
]

/** Two devices that have synced: `x` and `y` are encrypted by the first, which has both keys. */
async function twoDevices(keysOfSecond: Readonly<Record<string, number>>) {
  const server = await openServer()
  const a = await openDevice({ keys: { x: 1, y: 2 } })
  await say(a.log, 'note-x', 'x1', 'x2')
  await say(a.log, 'note-y', 'y1')
  await say(a.log, 'note-x', 'x3')
  await push(a.log, server)
  const b = await openDevice({ keys: keysOfSecond })
  await pull(b.log, server)
  return { server, a, b }
}

describe('a key that is not here', () => {
  test('leaves its events out of reads and states, is listed, and has them folded again when it comes', async () => {
    const { a, b } = await twoDevices({ x: 1 })
    const projector = createProjector({ log: b.log, app })
    expect(await states(projector, 'note-y')).toEqual([null, ['x1', 'x2', 'x3']])
    expect(await textsIn(b.log, 'note-y')).toEqual([])
    expect(await b.log.keys.list()).toEqual([
      { keyId: 'x', state: 'here' },
      { keyId: 'y', state: 'missing' },
    ])
    await projector.close()
    const again = createProjector({ log: b.log, app })
    await states(again)
    await b.log.keys.add('y', rawKey(2))
    expect(await states(again, 'note-y')).toEqual([['y1'], ['x1', 'x2', 'y1', 'x3']])
    expect(await b.log.keys.list()).toContainEqual({ keyId: 'y', state: 'here' })
    const all = async (log: EventLog) => {
      const one = createProjector({ log, app })
      const { stateHash } = (await one.snapshot('board', 'all'))!
      await one.close()
      return stateHash
    }
    expect(await all(b.log)).toBe(await all(a.log))
    expect(await b.log.verify()).toMatchObject({ ok: true })
    expect(b.log.erasures.list()).toEqual([])
    await again.close()
    await a.log.close()
    await b.log.close()
  })

  test('that came while the device was off has everything folded again when it is opened', async () => {
    const { a, b } = await twoDevices({ x: 1 })
    const before = createProjector({ log: b.log, app })
    await states(before)
    await before.close()
    await b.log.close()
    await b.ring.add('y', rawKey(2))
    const { log } = await openDevice({ database: b.database, ring: b.ring })
    const projector = createProjector({ log, app })
    await log.keys.refresh()
    expect(await states(projector, 'note-y')).toEqual([['y1'], ['x1', 'x2', 'y1', 'x3']])
    await projector.close()
    await log.close()
    await a.log.close()
  })

  test('of the application itself comes and goes, and what is folded follows', async () => {
    let isLocked = false
    const key = await webcrypto.subtle.importKey('raw', rawKey(1), 'AES-GCM', false, ['encrypt', 'decrypt'])
    const ring = new KeyRing({
      shelf: createMemoryShelf(),
      source: () => (isLocked ? null : (key as CryptoKey)),
    })
    const { log } = await openDevice({ ring, keyIdFor: () => 'own' })
    const projector = createProjector({ log, app })
    await say(log, 'note-x', '1', '2')
    expect(await states(projector)).toEqual([
      ['1', '2'],
      ['1', '2'],
    ])
    isLocked = true
    await log.keys.refresh()
    expect(await states(projector)).toEqual([null, null])
    expect(await log.keys.list()).toEqual([{ keyId: 'own', state: 'missing' }])
    await expect(say(log, 'note-x', '3')).rejects.toMatchObject({ code: 'key-missing' })
    isLocked = false
    await log.keys.refresh()
    expect(await states(projector)).toEqual([
      ['1', '2'],
      ['1', '2'],
    ])
    await projector.close()
    await log.close()
  })

  test('stops deciders, which never decide upon a part of a history', async () => {
    const { a, b } = await twoDevices({ x: 1 })
    const command = { decider: 'note', id: 'y', command: { type: 'Say', data: { text: 'z' } } }
    // Encrypted with a key that is here, so that only what is recorded is in the way.
    const other = await openDevice({ database: b.database, ring: b.ring, keyIdFor: () => 'x' })
    const refused = other.log.execute({ ...command, commandId: newEventId() })
    await expect(refused).rejects.toMatchObject({ code: 'key-missing', facts: { keyId: 'y' } })
    await other.log.keys.add('y', rawKey(2))
    await other.log.execute({ ...command, commandId: newEventId() })
    expect(await textsIn(other.log, 'note-y')).toEqual(['y1', '1:z'])
    await Promise.all([a.log.close(), b.log.close(), other.log.close()])
  })
})

describe('a key that is destroyed', () => {
  test('takes what it encrypted with it: states, snapshots, rejections; the rest stays', async () => {
    const { log, ring, database } = await openDevice({ keys: { x: 1, y: 2 } })
    const projector = createProjector({ log, app })
    await say(log, 'note-x', '1', SECRET, '3', '4')
    await say(log, 'note-y', '5', '6')
    expect(await states(projector)).toEqual([
      ['1', SECRET, '3', '4'],
      ['1', SECRET, '3', '4', '5', '6'],
    ])
    let told = 0
    projector.watch('notes', 'note-x', () => told++, new AbortController().signal)
    await new Promise(resolve => setTimeout(resolve, 400))
    expect(placesOf(SECRET, database)).not.toEqual([])
    await log.keys.destroy('x')
    expect(placesOf(SECRET, database)).toEqual([])
    expect(told).toBeGreaterThan(0)
    expect(await states(projector)).toEqual([null, ['5', '6']])
    expect(await textsIn(log, 'note-x')).toEqual([])
    await expect(log.keys.add('x', rawKey(1))).rejects.toMatchObject({ code: 'key-destroyed' })
    await expect(say(log, 'note-x', '7')).rejects.toMatchObject({ code: 'key-destroyed' })
    expect(await log.verify()).toMatchObject({ ok: true })
    await projector.close()
    await log.close()
    expect(placesOf(SECRET, database)).toEqual([])

    const reopened = await openDevice({ database, ring })
    const later = createProjector({ log: reopened.log, app })
    expect(await states(later)).toEqual([null, ['5', '6']])
    expect(await reopened.log.keys.list()).toContainEqual({ keyId: 'x', state: 'destroyed' })
    await later.close()
    await reopened.log.close()
  })

  test('is gone from a snapshot that waited to be written, too', async () => {
    const { log, database } = await openDevice({ keys: { x: 1 } })
    // An audit would have it written at once.
    const projector = createProjector({ log, app, audit: false })
    await say(log, 'note-x', '1', SECRET, '3', '4')
    await states(projector)
    await log.keys.destroy('x')
    await projector.close()
    await log.close()
    expect(placesOf(SECRET, database)).toEqual([])
  })
})

describe('sync', () => {
  test('takes up a raw append with the ciphertext that it has', async () => {
    const { server, a, b } = await twoDevices({ x: 1, y: 2 })
    await say(b.log, 'note-x', 'b')
    const [before] = await pendingEntries(b.log)
    await say(a.log, 'note-x', 'a')
    await push(a.log, server)
    await pull(b.log, server)
    const [after] = await pendingEntries(b.log)
    expect(after!.streamVersion).toBe(before!.streamVersion + 1)
    expect(after!.payload).toEqual(before!.payload)
    expect(await textsIn(b.log, 'note-x')).toEqual(['x1', 'x2', 'x3', 'a', 'b'])
    await Promise.all([a.log.close(), b.log.close(), server.close()])
  })

  test('decides commands again, and merges, on what was decrypted, and encrypts what comes of it', async () => {
    const { server, a, b } = await twoDevices({ x: 1, y: 2 })
    const command = { decider: 'note', id: 'x', command: { type: 'Say', data: { text: SECRET } } }
    await b.log.execute({ ...command, commandId: newEventId() })
    await createEventStore(b.log).appendToStream('note-y', [{ type: 'Said', data: { text: SECRET } }], {
      onConflict: { merge: 'both' } as never,
    })
    await say(a.log, 'note-x', 'a')
    await say(a.log, 'note-y', 'a')
    await push(a.log, server)
    await pull(b.log, server)
    expect(await textsIn(b.log, 'note-x')).toEqual(['x1', 'x2', 'x3', 'a', `4:${SECRET}`])
    expect(await textsIn(b.log, 'note-y')).toEqual(['y1', 'a', `${SECRET}+1`])
    expect(placesOf(SECRET, b.database)).toEqual([])
    await push(b.log, server)
    await pull(a.log, server)
    expect(await textsIn(a.log, 'note-x')).toEqual(await textsIn(b.log, 'note-x'))
    await Promise.all([a.log.close(), b.log.close(), server.close()])
  })

  test('waits with a page that would have a command decided again without its key', async () => {
    const { server, a, b } = await twoDevices({ x: 1, y: 2 })
    const command = { decider: 'note', id: 'x', command: { type: 'Say', data: { text: 'b' } } }
    await b.log.execute({ ...command, commandId: newEventId() })
    await b.log.close()
    await say(a.log, 'note-x', 'a')
    await push(a.log, server)
    const locked = await openDevice({ database: b.database })
    await expect(pull(locked.log, server)).rejects.toMatchObject({
      code: 'key-missing',
      facts: { keyId: 'x' },
    })
    expect(locked.log.pendingCount()).toBe(1)
    await locked.log.keys.add('x', rawKey(1))
    await pull(locked.log, server)
    expect(await textsIn(locked.log, 'note-x')).toEqual(['x1', 'x2', 'x3', 'a', '4:b'])
    await Promise.all([a.log.close(), locked.log.close(), server.close()])
  })

  test('lists what it rejects with what it says, and keeps that encrypted', async () => {
    const { server, a, b } = await twoDevices({ x: 1, y: 2 })
    await createEventStore(b.log).appendToStream('note-x', [{ type: 'Said', data: { text: SECRET } }], {
      onConflict: 'reject',
    })
    await say(a.log, 'note-x', 'a')
    await push(a.log, server)
    await pull(b.log, server)
    expect(await b.log.rejections()).toMatchObject([{ events: [{ data: { text: SECRET } }] }])
    expect(placesOf(SECRET, b.database)).toEqual([])
    await b.log.keys.destroy('x')
    expect(await b.log.rejections()).toMatchObject([{ events: [{ data: null }] }])
    await Promise.all([a.log.close(), b.log.close(), server.close()])
  })

  test('a forged event stops a projection there, with its id, until it is skipped or erased', async () => {
    const server = await openServer()
    const a = await openDevice({ keys: { x: 1 } })
    await say(a.log, 'note-x', 'x1')
    await push(a.log, server)
    // Somebody without the key appends what looks like an event of it.
    const [genuine] = (await server.readCommits(0, Infinity)).commits[0]!
    const forger = await openLog({ storage: memoryStorage(), storeId })
    await pull(forger, server)
    const eventId = newEventId()
    const [batch] = [encodeEvents([{ type: 'Said', id: eventId, data: 0 }])]
    const column = (bytes: Uint8Array) => ({ bytes, start: 0, ends: Uint32Array.of(bytes.length) })
    const forged = { ...batch!, payloads: column(genuine!.payload), metadata: column(genuine!.metadata) }
    await forger.append({
      appends: [{ streamName: 'note-x', expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch: forged }],
    })
    await push(forger, server)
    await pull(a.log, server)
    await say(a.log, 'note-x', 'x3')
    const projector = createProjector({ log: a.log, app })
    expect(await states(projector)).toEqual([['x1'], ['x1']])
    expect(projector.failureOf('board', 'all')).toMatchObject({
      code: 'decryption-failed',
      facts: { eventId },
    })
    await expect(createEventStore(a.log).readStream('note-x')).rejects.toMatchObject({
      code: 'decryption-failed',
    })
    const command = { decider: 'note', id: 'x', command: { type: 'Say', data: { text: 'z' } } }
    await expect(a.log.execute({ ...command, commandId: newEventId() })).rejects.toMatchObject({
      code: 'decryption-failed',
    })
    await a.log.erasures.erase([eventId])
    expect(await states(projector)).toEqual([
      ['x1', 'x3'],
      ['x1', 'x3'],
    ])
    await projector.close()
    await Promise.all([a.log.close(), server.close(), forger.close()])
  })
})

test('a hash chain covers the ciphertext: it is verified without any key', async () => {
  const { b } = await twoDevices({})
  expect(await b.log.verify()).toMatchObject({ ok: true })
  await b.log.close()
})
