import { describe, expect, test } from 'vitest'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import type { EventLog } from '../../src/engine/event-log.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { parseSignedCheckpoint } from '../../src/integrity/checkpoint.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner, parseVerifierKey, verifyNote } from '../../src/integrity/note-key.ts'
import { hexOf } from '../../src/log/bytes.ts'
import { encodeEvents } from '../../src/log/event-batch.ts'
import { createMemoryDatabase, memoryStorage } from '../../src/storage/memory/index.ts'
import { wrapStorage } from '../support/wrap-storage.ts'

const signer = await createNoteSigner('streamdingo/s/device', await generateKeyPair())
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })

async function append(log: EventLog, text: string): Promise<void> {
  const batch = encodeEvents([{ type: 'Said', data: text }])
  await log.append({ appends: [{ streamName: 'a', expectedStreamVersion: 'NO_CONCURRENCY_CHECK', batch }] })
}

describe('a checkpoint of a log', () => {
  test('is a note that its key has signed, of the size and root of the log', async () => {
    const log = await openLog({ storage: memoryStorage(), storeId: 's', signing })
    await append(log, 'one')
    const made = await log.proofs.checkpoints.make()
    expect(made).toMatchObject({ origin: 'streamdingo/s/device', size: 1 })
    expect(made.rootHash).toBe(hexOf(await log.proofs.treeRoot(1)))
    if (made.signing.status !== 'signed') throw new Error('not signed')
    const { note, checkpoint } = parseSignedCheckpoint(made.text)
    const key = await parseVerifierKey(made.signing.verifierKey)
    expect(await verifyNote(note, [key])).toMatchObject({ ok: true })
    expect(checkpoint).toMatchObject({ origin: made.origin, size: made.size })
    expect(hexOf(checkpoint.root)).toBe(made.rootHash)
    await log.close()
  })

  test('says so where nobody signs, and signs when somebody does', async () => {
    const database = createMemoryDatabase()
    const unsigned = await openLog({ storage: memoryStorage({ database }), storeId: 'a b' })
    await append(unsigned, 'one')
    const made = await unsigned.proofs.checkpoints.make()
    expect(made).toMatchObject({
      origin: 'streamdingo/a%20b',
      signing: { status: 'unsigned', reason: 'switched-off' },
    })
    expect(() => parseSignedCheckpoint(made.text)).toThrow()
    await unsigned.close()
    const signed = await openLog({ storage: memoryStorage({ database }), storeId: 'a b', signing })
    expect(await signed.proofs.checkpoints.make()).toMatchObject({ size: 1, signing: { status: 'signed' } })
    await signed.close()
  })

  test('is kept, and not signed twice', async () => {
    const database = createMemoryDatabase()
    const log = await openLog({ storage: memoryStorage({ database }), storeId: 's', signing })
    expect(await log.proofs.checkpoints.latest()).toBeNull()
    await append(log, 'one')
    const [one, two] = await Promise.all([log.proofs.checkpoints.make(), log.proofs.checkpoints.make()])
    expect(two).toBe(one)
    await log.close()
    const again = await openLog({ storage: memoryStorage({ database }), storeId: 's', signing })
    expect(await again.proofs.checkpoints.latest()).toEqual(one)
    expect(await again.proofs.checkpoints.make()).toEqual(one)
    await again.close()
  })

  test('is not made of a log that is not the one of the checkpoint before', async () => {
    const database = createMemoryDatabase()
    const log = await openLog({ storage: memoryStorage({ database }), storeId: 's', signing })
    await append(log, 'one')
    const before = await log.proofs.checkpoints.make()
    const kept = (await log.storage.get('checkpoint/latest'))!
    await log.close()
    const rewritten = await openLog({ storage: memoryStorage(), storeId: 's', signing })
    await rewritten.storage.put({ 'checkpoint/latest': kept })
    await expect(rewritten.proofs.checkpoints.make()).rejects.toMatchObject({
      code: 'log-damaged',
      facts: { position: 1 },
    })
    await append(rewritten, 'another one')
    await append(rewritten, 'and one more')
    await expect(rewritten.proofs.checkpoints.make()).rejects.toThrow(before.rootHash)
    await rewritten.close()
  })

  test('that was damaged is as none', async () => {
    const database = createMemoryDatabase()
    const log = await openLog({ storage: memoryStorage({ database }), storeId: 's', signing })
    await append(log, 'one')
    const made = await log.proofs.checkpoints.make()
    await log.storage.put({ 'checkpoint/latest': new Uint8Array(100) })
    await log.close()
    const again = await openLog({ storage: memoryStorage({ database }), storeId: 's', signing })
    expect(await again.proofs.checkpoints.latest()).toBeNull()
    expect(await again.proofs.checkpoints.make()).toMatchObject({ size: 1, rootHash: made.rootHash })
    await again.close()
  })

  test('that could not be kept is made again, and closing waits for one that is being made', async () => {
    let isFull = true
    const memory = memoryStorage()
    const storage = wrapStorage(memory, {
      async put(values) {
        if (isFull && 'checkpoint/latest' in values) throw new Error('full')
        await memory.put(values)
      },
    })
    const log = await openLog({ storage, storeId: 's', signing })
    await append(log, 'one')
    await expect(log.proofs.checkpoints.make()).rejects.toThrow('full')
    isFull = false
    const made = log.proofs.checkpoints.make()
    await log.close()
    expect(await made).toMatchObject({ size: 1 })
  })
})
