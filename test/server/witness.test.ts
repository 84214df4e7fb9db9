// The server as a witness: what it signs of a device's log, and what it refuses (c2sp.org/tlog-witness).

import { describe, expect, onTestFinished, test } from 'vitest'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { verifyCheckpoint } from '../../src/integrity/index.ts'
import { createCosigner, createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { bytesOfHex } from '../../src/log/bytes.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { decodeHead } from '../../src/protocol/sync-messages.ts'
import { type AddCheckpoint, encodeAddCheckpoint } from '../../src/protocol/witness-messages.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { serve } from './test-server.ts'

const signing = { name: 'sync.example.org', keyPair: await generateKeyPair() }
const TEXT = { 'content-type': 'text/plain' }

async function newDevice(name = 'streamdingo/board/one') {
  const signer = await createNoteSigner(name, await generateKeyPair())
  const by = async (): Promise<LogSigning> => ({ status: 'signed', signer })
  const log = await openLog({ storage: memoryStorage(), storeId: 'board', signing: by })
  onTestFinished(() => log.close())
  return { log, signer, vkey: formatVerifierKey(signer.key) }
}

async function say(log: EventLog, ...texts: string[]): Promise<void> {
  const batch = encodeEvents(texts.map(data => ({ type: 'Said', data })))
  await log.append({ appends: [{ streamName: 'a', expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
}

/** What a device sends when it knows how far the witness is. */
async function goingOnFrom(oldSize: number, log: EventLog): Promise<AddCheckpoint> {
  const { text } = await log.proofs.checkpoints.make()
  const proof = oldSize > 0 ? (await log.proofs.proveConsistency(oldSize)).hashes.map(bytesOfHex) : []
  return { oldSize, proof, checkpoint: text }
}

function witness(options: Parameters<typeof serve>[0] = {}) {
  const errors: unknown[] = []
  const served = serve({ signing, onError: error => errors.push(error), ...options })
  const post = (path: string, body: string, token?: string, headers = TEXT) =>
    served.call(`/v1/witness/${path}`, { method: 'POST', body, headers }, token)
  const register = (vkey: string, token?: string) => post('keys', vkey, token)
  const add = (message: AddCheckpoint | string, token?: string) =>
    post('add-checkpoint', typeof message === 'string' ? message : encodeAddCheckpoint(message), token)
  const key = async () => decodeHead(await (await served.call('/v1/head')).json()).keys!.witness
  return { ...served, errors, post, register, add, key }
}

describe('a witness', () => {
  test('signs that a log goes on, step by step', async () => {
    const { register, add, key } = witness()
    const { log, vkey } = await newDevice()
    expect((await register(vkey)).status).toBe(204)
    let oldSize = 0
    for (const texts of [['one'], ['two', 'three'], Array.from({ length: 600 }, (_, n) => `${n}`)]) {
      await say(log, ...texts)
      const message = await goingOnFrom(oldSize, log)
      const answer = await add(message)
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('text/plain; charset=utf-8')
      const cosigned = message.checkpoint + (await answer.text())
      const verdict = await verifyCheckpoint(cosigned, { keys: [vkey, await key()] })
      expect(verdict).toMatchObject({
        isTrusted: true,
        signedBy: ['streamdingo/board/one', 'sync.example.org/witness'],
      })
      oldSize = log.head()
    }
    // The same again is signed again.
    expect((await add(await goingOnFrom(oldSize, log))).status).toBe(200)
  })

  test('answers a log that went back with the size that it has signed: 409', async () => {
    const { register, add } = witness()
    const { log, vkey } = await newDevice()
    await register(vkey)
    await say(log, 'one', 'two', 'three')
    const first = await goingOnFrom(0, log)
    await add(first)
    await say(log, 'four')
    for (const oldSize of [0, 1, 2]) {
      const answer = await add(await goingOnFrom(oldSize, log))
      expect([answer.status, await answer.text()]).toEqual([409, '3\n'])
      expect(answer.headers.get('content-type')).toBe('text/x.tlog.size')
    }
    expect((await add(await goingOnFrom(3, log))).status).toBe(200)
    const rolledBack = await add({ ...first, oldSize: 3 })
    expect([rolledBack.status, await rolledBack.text()]).toEqual([409, '4\n'])
  })

  test('refuses a log that went another way: 422, and keeps what shows it', async () => {
    const { register, add, errors, databases } = witness()
    const { log, signer, vkey } = await newDevice()
    await register(vkey)
    await say(log, 'one', 'two')
    const first = await goingOnFrom(0, log)
    await add(first)
    const by = async (): Promise<LogSigning> => ({ status: 'signed', signer })
    const other = await openLog({ storage: memoryStorage(), storeId: 'board', signing: by })
    onTestFinished(() => other.close())
    await say(other, 'one', 'two', 'three')
    const forks = [
      await goingOnFrom(2, other),
      { ...(await goingOnFrom(2, other)), proof: [] },
      { ...first, oldSize: 2, proof: [new Uint8Array(32)] },
    ]
    for (const fork of forks) {
      const answer = await add(fork)
      expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([422, 'forked'])
    }
    const kept = databases.get('board')!.values.get(`witness/fork/${encodeURIComponent(signer.key.name)}`)!
    const { pinned, refused } = JSON.parse(new TextDecoder().decode(kept))
    for (const text of [pinned, refused]) {
      expect(await verifyCheckpoint(text, { keys: [vkey] })).toMatchObject({ isTrusted: true })
    }
    expect(errors).toHaveLength(1)
    // What was signed before still counts.
    await say(log, 'three')
    expect((await add(await goingOnFrom(2, log))).status).toBe(200)
  })

  test('refuses what is not the log’s own: 403, and a log that it does not know: 404', async () => {
    const { register, add } = witness()
    const { log, vkey } = await newDevice()
    await say(log, 'one')
    const message = await goingOnFrom(0, log)
    expect((await add(message)).status).toBe(404)
    await register(vkey)
    const stranger = await newDevice()
    await say(stranger.log, 'one')
    expect((await add(await goingOnFrom(0, stranger.log))).status).toBe(403)
    const forged = { ...message, checkpoint: message.checkpoint.replace('\n1\n', '\n2\n') }
    expect((await add(forged)).status).toBe(403)
  })

  test('refuses what it cannot read, and sizes that cannot be: 400', async () => {
    const { register, add } = witness()
    const { log, vkey } = await newDevice()
    await register(vkey)
    await say(log, 'one')
    const { checkpoint } = await goingOnFrom(0, log)
    const bodies = [
      '',
      checkpoint,
      `old x\n\n${checkpoint}`,
      `old 00\n\n${checkpoint}`,
      `old 0\nAAAA\n\n${checkpoint}`,
      `old 0\n${'A'.repeat(43)}=\n`.repeat(64),
      'old 0\n\nnothing',
      encodeAddCheckpoint({ oldSize: 2, proof: [], checkpoint }),
    ]
    for (const body of bodies) expect((await add(body)).status, body.slice(0, 30)).toBe(400)
    const empty = await newDevice('streamdingo/board/empty')
    await register(empty.vkey)
    expect((await add(await goingOnFrom(0, empty.log))).status).toBe(200)
  })

  test('wants the right to append, a text, and not too much of it', async () => {
    const { post, register, add } = witness()
    const { vkey } = await newDevice()
    expect((await register(vkey, 'board~r')).status).toBe(403)
    expect((await add('old 0\n', 'board~r')).status).toBe(403)
    expect((await post('keys', vkey, undefined, { 'content-type': 'application/json' })).status).toBe(415)
    expect((await post('keys', 'x'.repeat(100_000))).status).toBe(413)
    const unsigned = serve()
    const init = { method: 'POST', body: vkey, headers: TEXT }
    expect((await unsigned.call('/v1/witness/keys', init)).status).toBe(404)
  })

  test('knows one key for a log, of a device of this store', async () => {
    const { register } = witness({ limits: { maxDevices: 2 } })
    const one = await newDevice()
    expect((await register(one.vkey)).status).toBe(204)
    expect((await register(one.vkey)).status).toBe(204)
    const impostor = await newDevice()
    expect((await register(impostor.vkey)).status).toBe(409)
    for (const name of ['streamdingo/other/one', 'streamdingo/board/', 'sync.example.org/board/x', 'board']) {
      expect((await register((await newDevice(name)).vkey)).status, name).toBe(400)
    }
    const cosigner = await createCosigner('streamdingo/board/x', await generateKeyPair())
    expect((await register(formatVerifierKey(cosigner.key))).status).toBe(400)
    expect((await register('no key')).status).toBe(400)
    expect((await register((await newDevice('streamdingo/board/two')).vkey)).status).toBe(204)
    expect((await register((await newDevice('streamdingo/board/three')).vkey)).status).toBe(429)
    expect((await register(one.vkey)).status).toBe(204)
  })
})

test('two servers on one database sign one of two histories', async () => {
  const database = createMemoryDatabase()
  const openStorage = () => memoryStorage({ database })
  const servers = [witness({ openStorage }), witness({ openStorage })]
  const { signer, vkey } = await newDevice()
  await servers[0]!.register(vkey)
  const by = async (): Promise<LogSigning> => ({ status: 'signed', signer })
  const answers = await Promise.all(
    servers.map(async ({ add }, n) => {
      const log = await openLog({ storage: memoryStorage(), storeId: 'board', signing: by })
      onTestFinished(() => log.close())
      await say(log, `history ${n}`)
      return (await add(await goingOnFrom(0, log))).status
    }),
  )
  expect(answers.toSorted()).toEqual([200, 409])
})
