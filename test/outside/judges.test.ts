// What a log gives out is judged by code that is not ours: sigstore's, and that of Go's checksum database.

import { execFile, spawn } from 'node:child_process'
import { createPublicKey } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { verifyCheckpoint } from '@sigstore/verify/dist/tlog/checkpoint.js'
import { verifyMerkleInclusion } from '@sigstore/verify/dist/tlog/merkle.js'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { base64Of } from '../../src/integrity/base64.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { parseTlogProof, type TlogProof } from '../../src/integrity/tlog-proof.ts'
import { ByteReader, bytesOfHex } from '../../src/log/bytes.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'

const COUNT = 1_000
const ORIGIN = 'streamdingo/shop/device'

const keyPair = await generateKeyPair()
const signer = await createNoteSigner(ORIGIN, keyPair)
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })
const store = createEventStore(await openLog({ storage: memoryStorage(), storeId: 'shop', signing }))
afterAll(() => store.close())

const ids = Array.from({ length: COUNT }, newEventId)
const counted = ids.map((id, n) => ({ id, type: 'Counted', data: { n, text: 'Ünï' } }))
await store.appendToStream('a', counted.slice(0, 700))
const old = await store.checkpoint()
await store.appendToStream('b', counted.slice(700))
const consistency = await store.proveConsistency(700)

/** A proof, and the bytes whose hash is the leaf: what an opened entry begins with. */
async function proofOf(n: number): Promise<TlogProof & Readonly<{ entry: Uint8Array }>> {
  const proof = parseTlogProof(await store.exportProof(ids[n]!))
  const reader = new ByteReader(proof.extra!)
  return { ...proof, entry: reader.raw(reader.u32()).slice() }
}

const flipped = (bytes: Uint8Array): Uint8Array => {
  const other = bytes.slice()
  other[other.length >> 1]! ^= 1
  return other
}

/** What no judge may take. */
function forgeries(proof: Awaited<ReturnType<typeof proofOf>>): Record<string, typeof proof> {
  const { hashes, checkpoint, index, entry } = proof
  return {
    'another entry': { ...proof, entry: flipped(entry) },
    'another place': { ...proof, index: index === 0 ? 1 : index - 1 },
    'another path': { ...proof, hashes: hashes.with(0, flipped(hashes[0]!)) },
    'a shorter path': { ...proof, hashes: hashes.slice(1) },
    'another size': { ...proof, checkpoint: checkpoint.replace(`\n${COUNT}\n`, `\n${COUNT + 1}\n`) },
    'another name': { ...proof, checkpoint: checkpoint.replace(`${ORIGIN}\n`, `${ORIGIN}x\n`) },
  }
}

const SOME = [0, 1, 255, 256, 511, 699, 700, COUNT - 1]

describe('sigstore (@sigstore/verify)', () => {
  const der = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), keyPair.publicKey])
  const logID = Buffer.alloc(4)
  logID.writeUInt32BE(signer.key.id)
  const publicKey = createPublicKey({ key: der, format: 'der', type: 'spki' })
  const log = { logID, publicKey, baseURL: ORIGIN, validFor: { start: new Date(0), end: new Date() } }

  const judge = ({ index, hashes, checkpoint, entry }: Awaited<ReturnType<typeof proofOf>>): void => {
    const inclusionProof = {
      logIndex: String(index),
      hashes: hashes.map(hash => Buffer.from(hash)),
      checkpoint: { envelope: checkpoint },
    }
    const judged = { inclusionProof, canonicalizedBody: Buffer.from(entry) } as never
    verifyMerkleInclusion(judged, verifyCheckpoint(judged, [log as never]))
  }

  test('takes what the log proves, and nothing else', async () => {
    for (const n of SOME) {
      const proof = await proofOf(n)
      expect(() => judge(proof)).not.toThrow()
      for (const [name, forgery] of Object.entries(forgeries(proof))) {
        expect(() => judge(forgery), `${name} of ${n}`).toThrow()
      }
    }
  })
})

const GO = ['/usr/lib/go-1.19/bin/go', '/usr/bin/go'].find(existsSync)
const GOPATH = '/usr/share/gocode'
const missing = !GO
  ? 'Debian’s golang-1.19-go is not there'
  : !existsSync(`${GOPATH}/src/golang.org/x/mod/sumdb`)
    ? 'Debian’s golang-golang-x-mod-dev is not there'
    : null

describe.skipIf(missing)(`Go’s sumdb note and tlog${missing ? ` (left out: ${missing})` : ''}`, () => {
  let folder: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'streamdingo-go-'))
    const source = fileURLToPath(new URL('judge.go', import.meta.url))
    const env = { ...process.env, GO111MODULE: 'off', GOPATH, GOCACHE: join(folder, 'cache') }
    await promisify(execFile)(GO!, ['build', '-o', join(folder, 'judge'), source], { env })
  }, 300_000)
  afterAll(() => rm(folder, { recursive: true }))

  function judge(cases: readonly object[]): Promise<string[]> {
    const child = spawn(join(folder, 'judge'), { stdio: ['pipe', 'pipe', 'inherit'] })
    let out = ''
    child.stdout.on('data', part => {
      out += String(part)
    })
    child.stdin.end(JSON.stringify(cases))
    return new Promise(resolve => child.once('close', () => resolve(JSON.parse(out) as string[])))
  }

  const VerifierKey = formatVerifierKey(signer.key)
  const caseOf = ({ index, hashes, checkpoint, entry }: Awaited<ReturnType<typeof proofOf>>) => ({
    VerifierKey,
    Checkpoint: checkpoint,
    Entry: base64Of(entry),
    Index: index,
    Path: hashes.map(base64Of),
  })

  test('take what the log proves, and nothing else', async () => {
    const proofs = await Promise.all(SOME.map(proofOf))
    expect(await judge(proofs.map(caseOf))).toEqual(SOME.map(() => ''))
    const forged = proofs.flatMap(proof => Object.values(forgeries(proof)))
    const verdicts = await judge(forged.map(caseOf))
    expect(verdicts).toHaveLength(SOME.length * 6)
    expect(verdicts).not.toContain('')
  })

  test('take that the log only grew, and nothing else', async () => {
    const { text: Checkpoint } = await store.checkpoint()
    const Proof = consistency.hashes.map(hash => base64Of(bytesOfHex(hash)))
    const good = { VerifierKey, Checkpoint, Old: old.text, Proof }
    const stranger = await createNoteSigner(ORIGIN, await generateKeyPair())
    const verdicts = await judge([
      good,
      { ...good, Proof: Proof.slice(1) },
      { ...good, Proof: Proof.with(0, base64Of(flipped(bytesOfHex(consistency.hashes[0]!)))) },
      { ...good, Old: old.text.replace('\n700\n', '\n699\n') },
      { ...good, VerifierKey: formatVerifierKey(stranger.key) },
    ])
    expect(verdicts[0]).toBe('')
    expect(verdicts.slice(1)).not.toContain('')
  })
})
