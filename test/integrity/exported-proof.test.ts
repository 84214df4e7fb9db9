import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { verifyCheckpoint, verifyExportedProof } from '../../src/integrity/index.ts'
import { createCosigner, createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { formatNote, formatSignature } from '../../src/integrity/signed-note.ts'
import { formatTlogProof, parseTlogProof } from '../../src/integrity/tlog-proof.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'

const signer = await createNoteSigner('streamdingo/shop/device', await generateKeyPair())
const vkey = formatVerifierKey(signer.key)
const stranger = formatVerifierKey((await createNoteSigner('a', await generateKeyPair())).key)
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })
const store = createEventStore(await openLog({ storage: memoryStorage(), storeId: 'shop', signing }))
afterAll(() => store.close())

const ids = Array.from({ length: 300 }, newEventId)
await store.appendToStream(
  'cart-1',
  ids.map((id, n) => ({ id, type: 'Added', data: { n, where: 'Ünï' }, tags: ['t'], metadata: { by: 'me' } })),
)
const proof = await store.exportProof(ids[100]!)

const outcomes = ({ checks }: Awaited<ReturnType<typeof verifyExportedProof>>) =>
  Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]))

describe('an exported proof', () => {
  test('shows its event, to who trusts the key', async () => {
    const verdict = await verifyExportedProof(proof, { keys: [stranger, vkey] })
    expect(verdict).toMatchObject({
      isTrusted: true,
      holds: true,
      signedBy: ['streamdingo/shop/device'],
      globalPosition: 101,
      checkpoint: { origin: 'streamdingo/shop/device', size: 300 },
      event: {
        eventId: ids[100],
        type: 'Added',
        streamName: 'cart-1',
        streamVersion: 101,
        isEvent: true,
        content: { data: { n: 100, where: 'Ünï' }, tags: ['t'], metadata: { by: 'me' } },
      },
    })
    const { events } = await store.readStream('cart-1', { from: 101, to: 101 })
    const { hash, previousHash, recordedAt } = events[0]!.metadata
    expect(verdict.event).toMatchObject({ hash, previousHash, recordedAt })
  })

  test('holds without a key, but is trusted by nobody', async () => {
    const verdict = await verifyExportedProof(proof)
    expect(verdict).toMatchObject({ isTrusted: false, holds: true, signedBy: [] })
    expect(outcomes(verdict)).toEqual({
      format: 'holds',
      entry: 'holds',
      inclusion: 'holds',
      signature: 'skipped',
    })
  })

  test('fails under keys that did not sign it', async () => {
    const verdict = await verifyExportedProof(proof, { keys: [stranger] })
    expect(verdict).toMatchObject({ isTrusted: false, holds: false, event: null })
    expect(outcomes(verdict)['signature']).toBe('fails')
  })

  test('shows the entry alone where its content is left out', async () => {
    const { event, isTrusted } = await verifyExportedProof(
      await store.exportProof(ids[7]!, { content: false }),
      { keys: [vkey] },
    )
    expect(isTrusted).toBe(true)
    expect(event).toMatchObject({ eventId: ids[7], type: 'Added', content: null })
  })

  test('bears cosignatures of witnesses beside the signature', async () => {
    const witness = await createCosigner('witness.example', await generateKeyPair())
    const { checkpoint } = parseTlogProof(proof)
    const text = checkpoint.slice(0, checkpoint.indexOf('\n\n') + 1)
    const cosigned = proof + formatSignature(await witness.sign(text))
    const keys = [vkey, formatVerifierKey(witness.key)]
    expect(await verifyExportedProof(cosigned, { keys })).toMatchObject({
      isTrusted: true,
      signedBy: ['streamdingo/shop/device', 'witness.example'],
    })
  })

  test('fails where any character of it is another one', async () => {
    for (let at = 0; at < proof.length; at++) {
      const other = proof[at] === 'A' ? 'B' : 'A'
      const verdict = await verifyExportedProof(proof.slice(0, at) + other + proof.slice(at + 1), {
        keys: [vkey],
      })
      expect(verdict.isTrusted, `character ${at}`).toBe(false)
    }
  })

  test('fails where parts of two proofs are put together', async () => {
    const other = parseTlogProof(await store.exportProof(ids[101]!))
    const own = parseTlogProof(proof)
    for (const part of ['index', 'hashes', 'extra'] as const) {
      const mixed = formatTlogProof({ ...own, [part]: other[part] })
      expect(await verifyExportedProof(mixed, { keys: [vkey] }), part).toMatchObject({ holds: false })
    }
    const { extra: _, ...bare } = own
    expect(outcomes(await verifyExportedProof(formatTlogProof(bare)))).toMatchObject({
      entry: 'fails',
      inclusion: 'skipped',
    })
  })

  test('is a text that comes back from its parts, and any text is judged without a throw', async () => {
    expect(formatTlogProof(parseTlogProof(proof))).toBe(proof)
    const lines = proof.split('\n')
    const mangled = fc.array(fc.oneof(fc.constantFrom(...lines), fc.string()), { maxLength: 30 })
    const texts = fc.oneof(
      fc.string(),
      mangled.map(parts => `c2sp.org/tlog-proof@v1\n${parts.join('\n')}`),
    )
    await fc.assert(
      fc.asyncProperty(texts, async text => {
        expect((await verifyExportedProof(text, { keys: [vkey] })).isTrusted).toBe(false)
      }),
    )
  })

  test('is refused for an event that is not there, and where nobody signs', async () => {
    await expect(store.exportProof(newEventId())).rejects.toMatchObject({ code: 'unknown-event' })
    const unsigned = createEventStore(await openLog({ storage: memoryStorage(), storeId: 'shop' }))
    const id = newEventId()
    await unsigned.appendToStream('a', [{ id, type: 'Added', data: 1 }])
    const refusal = { code: 'not-signed', facts: { reason: 'switched-off' } }
    await expect(unsigned.exportProof(id)).rejects.toMatchObject(refusal)
    await unsigned.close()
  })
})

describe('a checkpoint', () => {
  test('is trusted by who has its key', async () => {
    const { text, rootHash } = await store.checkpoint()
    expect(await verifyCheckpoint(text, { keys: [vkey] })).toMatchObject({
      isTrusted: true,
      checkpoint: { size: 300, rootHash },
    })
    expect(await verifyCheckpoint(text)).toMatchObject({ isTrusted: false, holds: true })
    expect(await verifyCheckpoint(text.replace('300', '301'), { keys: [vkey] })).toMatchObject({
      holds: false,
    })
    expect(await verifyCheckpoint('300', { keys: [vkey] })).toMatchObject({ holds: false, checkpoint: null })
  })

  test('of another log than the one that the key is of is not trusted', async () => {
    const text = 'another/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n'
    const note = formatNote({ text, signatures: [await signer.sign(text)] })
    expect(await verifyCheckpoint(note, { keys: [vkey] })).toMatchObject({ holds: false, isTrusted: false })
  })

  test('cannot be judged by a key that is none', async () => {
    const { text } = await store.checkpoint()
    await expect(verifyCheckpoint(text, { keys: ['key'] })).rejects.toMatchObject({ code: 'malformed-proof' })
  })
})
