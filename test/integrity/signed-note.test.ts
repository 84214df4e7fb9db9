import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  formatCheckpoint,
  formatSignedCheckpoint,
  parseCheckpoint,
  parseSignedCheckpoint,
} from '../../src/integrity/checkpoint.ts'
import {
  generateKeyPair,
  generatePrivateKey,
  importKeyPair,
  isSignedBy,
  sign,
} from '../../src/integrity/ed25519.ts'
import {
  cosignedAt,
  createCosigner,
  createNoteSigner,
  formatVerifierKey,
  parseVerifierKey,
  verifierKeyOf,
  verifyNote,
} from '../../src/integrity/note-key.ts'
import { formatNote, parseNote } from '../../src/integrity/signed-note.ts'
import { bytesOfHex, utf8 } from '../../src/log/bytes.ts'
import { isStoreError } from '../../src/log/errors.ts'

const VECTORS_DIR = process.env['VECTORS_DIR']
const TEXT = 'example.com/log\n7\nqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqo=\n'

const refusal = (error: unknown): boolean => isStoreError(error, 'malformed-proof')
const refuses = (run: () => unknown): void => {
  let thrown: unknown
  try {
    run()
  } catch (error) {
    thrown = error
  }
  expect(refusal(thrown), String(thrown)).toBe(true)
}

describe.skipIf(!VECTORS_DIR)('published vectors (left out where VECTORS_DIR is unset)', () => {
  test('signed note: the example of the specification', async () => {
    const [vkey, note] = splitOnce(readFileSync(`${VECTORS_DIR}/signed-note.txt`, 'utf8'), '\n---\n')
    const key = await parseVerifierKey(vkey)
    expect(formatVerifierKey(key)).toBe(vkey)
    const parsed = parseNote(note)
    expect(formatNote(parsed)).toBe(note)
    expect(await verifyNote(parsed, [key])).toEqual({ ok: true, signedBy: [key] })
  })

  test('Ed25519 (Wycheproof): what is valid is taken, what is hostile is not', async () => {
    const { testGroups } = JSON.parse(readFileSync(`${VECTORS_DIR}/wycheproof/ed25519_test.json`, 'utf8'))
    const verdicts: string[] = []
    for (const { publicKey, tests } of testGroups) {
      for (const { tcId, msg, sig, result } of tests) {
        const isValid = await isSignedBy(bytesOfHex(publicKey.pk), bytesOfHex(sig), bytesOfHex(msg))
        expect(isValid, `case ${tcId}`).toBe(result === 'valid')
        verdicts.push(result)
      }
    }
    expect(verdicts.length).toBe(151)
    expect(new Set(verdicts)).toEqual(new Set(['valid', 'invalid']))
  })
})

describe('a key', () => {
  test('that is generated gives its private half to nobody', async () => {
    const { privateKey } = await generateKeyPair()
    expect(privateKey.extractable).toBe(false)
    await expect(crypto.subtle.exportKey('pkcs8', privateKey)).rejects.toThrow()
  })

  test('that is kept outside signs as the same key each time', async () => {
    const pkcs8 = await generatePrivateKey()
    const [one, two] = [await importKeyPair(pkcs8), await importKeyPair(pkcs8)]
    expect(one.publicKey).toEqual(two.publicKey)
    expect(one.privateKey.extractable).toBe(false)
    const message = utf8('words')
    expect(await isSignedBy(two.publicKey, await sign(one.privateKey, message), message)).toBe(true)
    expect(await isSignedBy(two.publicKey, await sign(one.privateKey, message), utf8('word'))).toBe(false)
  })

  test.each([
    'example.com/foo',
    'example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2',
    'example.com/foo+530d903a+BukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    'example.com/bar+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    'a b+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k',
    '',
  ])('in words that are none is refused: %s', async vkey => {
    await expect(parseVerifierKey(vkey)).rejects.toSatisfy(refusal)
  })
})

describe('a note', () => {
  test('holds for its text and its key only', async () => {
    const signer = await createNoteSigner('example.com/log', await generateKeyPair())
    const note = { text: TEXT, signatures: [await signer.sign(TEXT)] }
    expect(await verifyNote(parseNote(formatNote(note)), [signer.key])).toMatchObject({ ok: true })
    const other = { ...note, text: TEXT.replace('7', '8') }
    expect(await verifyNote(other, [signer.key])).toMatchObject({ ok: false, problem: 'bad-signature' })
    const stranger = await createNoteSigner('example.com/log', await generateKeyPair())
    expect(await verifyNote(note, [stranger.key])).toMatchObject({ ok: false, problem: 'unsigned' })
  })

  test('is refused whole when one of the known keys did not sign it', async () => {
    const [one, two] = await Promise.all(
      ['one', 'two'].map(async name => createNoteSigner(name, await generateKeyPair())),
    )
    const signatures = [await one!.sign(TEXT), await two!.sign('something else\n')]
    const note = { text: TEXT, signatures }
    expect(await verifyNote(note, [one!.key])).toMatchObject({ ok: true })
    expect(await verifyNote(note, [one!.key, two!.key])).toMatchObject({ ok: false, key: { name: 'two' } })
  })

  test('is cosigned at a time that cannot be changed', async () => {
    const witness = await createCosigner('witness.example', await generateKeyPair(), () => 1_679_315_147_900)
    const signature = await witness.sign(TEXT)
    expect(cosignedAt(signature)).toBe(1_679_315_147_000)
    expect(await verifyNote({ text: TEXT, signatures: [signature] }, [witness.key])).toMatchObject({
      ok: true,
    })
    for (let at = 0; at < 8; at++) {
      const bytes = signature.bytes.slice()
      bytes[at]! ^= 1
      const forged = { text: TEXT, signatures: [{ ...signature, bytes }] }
      expect(await verifyNote(forged, [witness.key]), `byte ${at}`).toMatchObject({
        problem: 'bad-signature',
      })
    }
  })

  test('is not taken for a cosignature by the same key, nor the other way round', async () => {
    const pair = await generateKeyPair()
    const [signer, cosigner] = [await createNoteSigner('a', pair), await createCosigner('a', pair)]
    const asCosignature = { ...(await signer.sign(TEXT)), keyId: cosigner.key.id }
    const asSignature = { ...(await cosigner.sign(TEXT)), keyId: signer.key.id }
    const keys = [signer.key, cosigner.key]
    for (const signature of [asCosignature, asSignature]) {
      expect(await verifyNote({ text: TEXT, signatures: [signature] }, keys)).toMatchObject({ ok: false })
    }
  })

  test.each([
    ['no signature', TEXT],
    ['no newline at the end', `${TEXT}\n— a AAAAAAA=`],
    ['a control character', `a\tb\n\n— a AAAAAAA=\n`],
    ['a carriage return', `a\r\n\n— a AAAAAAA=\n`],
    ['a hyphen for the dash', `a\n\n- a AAAAAAA=\n`],
    ['a plus in the name', `a\n\n— a+b AAAAAAA=\n`],
    ['a signature of a key id only', 'a\n\n— a AAAAAA==\n'],
    ['two spellings of one signature', 'a\n\n— a AAAAAAB=\n'],
    ['too many signatures', `a\n\n${'— a AAAAAAA=\n'.repeat(65)}`],
  ])('that is none is refused: %s', (_, note) => {
    refuses(() => parseNote(note))
  })

  test('ends at its last empty line', () => {
    const note = parseNote('a\n\nb\n\n— a AAAAAAA=\n')
    expect(note.text).toBe('a\n\nb\n')
    expect(note.signatures).toEqual([{ keyName: 'a', keyId: 0, bytes: Uint8Array.of(0) }])
  })

  test('comes back from its text, whatever it says', () => {
    const line = fc.string({ unit: 'grapheme' }).map(text => text.replaceAll(/\p{Cc}/gu, ''))
    const name = fc.stringMatching(/^[a-z./0-9]{1,20}$/)
    const signature = fc.record({
      keyName: name,
      keyId: fc.nat(0xffffffff),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 100 }),
    })
    const note = fc.record({
      text: fc.array(line, { minLength: 1 }).map(lines => `${lines.join('\n')}\n`),
      signatures: fc.array(signature, { minLength: 1, maxLength: 16 }),
    })
    fc.assert(
      fc.property(note, value => {
        expect(parseNote(formatNote(value))).toEqual(value)
      }),
    )
  })
})

describe('a checkpoint', () => {
  const checkpoint = { origin: 'example.com/log', size: 7, root: new Uint8Array(32).fill(0xaa) }

  test('is three lines, and comes back from them', async () => {
    expect(formatCheckpoint(checkpoint)).toBe(TEXT)
    expect(parseCheckpoint(TEXT)).toEqual(checkpoint)
    expect(parseCheckpoint(`${TEXT}an extension\n`)).toEqual(checkpoint)
    const signer = await createNoteSigner('example.com/log', await generateKeyPair())
    const text = formatSignedCheckpoint(checkpoint, [await signer.sign(TEXT)])
    expect(parseSignedCheckpoint(text).checkpoint).toEqual(checkpoint)
  })

  test.each([
    ['no origin', TEXT.replace('example.com/log', '')],
    ['a size with a zero in front', TEXT.replace('7', '07')],
    ['a negative size', TEXT.replace('7', '-7')],
    ['a size that no number holds', TEXT.replace('7', '9007199254740993')],
    ['a root of 31 bytes', TEXT.replace(/q{42}o=/, `${'q'.repeat(40)}qg==`)],
    ['no newline at the end', TEXT.slice(0, -1)],
    ['an empty extension line', `${TEXT}\nx\n`],
  ])('that is none is refused: %s', (_, text) => {
    refuses(() => parseCheckpoint(text))
  })
})

test('a name with a space signs nothing', async () => {
  const { publicKey } = await generateKeyPair()
  await expect(verifierKeyOf('a b', 'ed25519', publicKey)).rejects.toSatisfy(refusal)
})

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator)
  return [text.slice(0, at), text.slice(at + separator.length)]
}
