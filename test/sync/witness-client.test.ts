// A device and its witness: what is signed, and what each finds out of the other.

import { expect, onTestFinished, test } from 'vitest'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { verifyCheckpoint } from '../../src/integrity/index.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { createSyncServer } from '../../src/server/sync-server.ts'
import { createMemoryDatabase, type MemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { type WitnessAnswer, WitnessClient } from '../../src/sync/witness-client.ts'

const keyPair = await generateKeyPair()
const signer = await createNoteSigner('streamdingo/shop/device', await generateKeyPair())

const copyOf = ({ blocks, values }: MemoryDatabase): MemoryDatabase => ({
  blocks: [...blocks],
  values: new Map(values),
})

function startServer(
  signing: { name: string; keyPair: typeof keyPair } | null = { name: 'sync.test', keyPair },
) {
  const database = createMemoryDatabase()
  const server = createSyncServer({
    openStorage: () => memoryStorage({ database }),
    authorize: () => ({ storeId: 'shop', read: true, append: true }),
    ...(signing && { signing }),
  })
  onTestFinished(() => server.close())
  const paths: string[] = []
  const faults: ((deliver: () => Promise<Response>) => Promise<Response>)[] = []
  const fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const request = new Request(url, init)
    paths.push(new URL(url).pathname.replace('/v1/witness/', ''))
    const deliver = () => server.fetch(request)
    return (faults.shift() ?? (run => run()))(deliver)
  }
  /** Its database is what it was before anything was written. */
  const reset = async (): Promise<void> => {
    database.blocks.length = 0
    database.values.clear()
    await server.rotateEpoch('shop')
  }
  return { fetch, paths, faults, reset }
}

type Server = ReturnType<typeof startServer>

async function device(server: Server, database = createMemoryDatabase()) {
  const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })
  const log = await openLog({ storage: memoryStorage({ database }), storeId: 'shop', signing })
  onTestFinished(() => log.close())
  const { fetch } = server
  const { signal } = new AbortController()
  const client = new WitnessClient({ log, url: 'http://server', token: () => 'token', fetch, signal })
  const submit = async (): Promise<WitnessAnswer> => client.submit(await log.proofs.checkpoints.make())
  return { log, database, submit }
}

async function say(log: EventLog, ...texts: string[]): Promise<void> {
  const batch = encodeEvents(texts.map(data => ({ type: 'Said', data })))
  await log.append({ appends: [{ streamName: 'a', expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
}

test('a witness that was restored to before it knew this device is told of it again', async () => {
  const server = startServer()
  const { log, submit } = await device(server)
  await say(log, 'one')
  expect(await submit()).toMatchObject({ type: 'cosigned', size: 1 })
  await server.reset()
  await say(log, 'two')
  server.paths.length = 0
  expect(await submit()).toMatchObject({ type: 'cosigned', size: 2 })
  expect(server.paths).toEqual(['add-checkpoint', 'keys', 'add-checkpoint'])
})

test('each checkpoint is signed, from the one before, with what the device keeps of it', async () => {
  const server = startServer()
  const { log, database, submit } = await device(server)
  expect(await submit()).toEqual({ type: 'none' })
  await say(log, 'one')
  const answer = await submit()
  if (answer.type !== 'cosigned') throw new Error(answer.type)
  const { signedBy } = await verifyCheckpoint(answer.text, { keys: [formatVerifierKey(signer.key)] })
  expect(signedBy).toEqual(['streamdingo/shop/device'])
  expect(answer.text).toMatch(/\n— sync\.test\/witness \S+\n$/)
  expect(await submit()).toEqual(answer)
  await say(log, 'two', 'three')
  expect(await submit()).toMatchObject({ type: 'cosigned', size: 3 })
  await log.close()
  // A device that was closed goes on from what it kept.
  const again = await device(server, database)
  await say(again.log, 'four')
  expect(await again.submit()).toMatchObject({ type: 'cosigned', size: 4 })
  expect(server.paths).toEqual(['keys', 'add-checkpoint', 'add-checkpoint', 'add-checkpoint'])
})

test('a lost answer does no harm', async () => {
  const server = startServer()
  const { log, submit } = await device(server)
  await say(log, 'one')
  server.faults.push(
    deliver => deliver(),
    async deliver => {
      await deliver()
      throw new TypeError('fetch failed')
    },
  )
  expect(await submit()).toEqual({ type: 'none' })
  await say(log, 'two')
  expect(await submit()).toMatchObject({ type: 'cosigned', size: 2 })
})

test('a device that was rolled back hears of it, whatever it was rolled back with', async () => {
  const server = startServer()
  const { log, database, submit } = await device(server)
  await say(log, 'one')
  await submit()
  const older = copyOf(database)
  await say(log, 'two', 'three')
  await submit()
  expect(await (await device(server, older)).submit()).toMatchObject({ type: 'cosigned', size: 1 })
  const rolledBack = await device(server, older)
  await say(rolledBack.log, 'another two')
  expect(await rolledBack.submit()).toEqual({ type: 'behind', pinned: 3 })
  await say(rolledBack.log, 'another three', 'four')
  const forked = await rolledBack.submit()
  expect(forked).toMatchObject({ type: 'forked', pinned: expect.stringContaining('\n3\n') })
  // The log as it was is still good.
  await say(log, 'four')
  expect(await submit()).toMatchObject({ type: 'cosigned', size: 4 })
})

test('where there is no witness, nothing is asked twice; where there is no network, it is', async () => {
  const unsigned = startServer(null)
  const one = await device(unsigned)
  await say(one.log, 'one')
  expect(await one.submit()).toEqual({ type: 'none' })
  await say(one.log, 'two')
  expect(await one.submit()).toEqual({ type: 'none' })
  expect(unsigned.paths).toEqual(['keys'])

  const server = startServer()
  const other = await device(server)
  await say(other.log, 'one')
  const answers = [
    () => Promise.reject(new TypeError('fetch failed')),
    async () => new Response('<html>Sign in</html>'),
    async () => Response.json({ code: 'internal', message: 'No' }, { status: 500 }),
  ]
  for (const answer of answers) {
    server.faults.push(answer)
    expect(await other.submit()).toEqual({ type: 'none' })
  }
  for (const text of ['', 'x\n', '-1\n', '99999999999999999999\n']) {
    server.faults.push(
      deliver => deliver(),
      async () => new Response(text, { status: 409 }),
    )
    expect(await other.submit(), text).toEqual({ type: 'none' })
  }
  expect(await other.submit()).toMatchObject({ type: 'cosigned', size: 1 })
})
