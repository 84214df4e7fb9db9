// The server's log as others read it: signed, in tiles, and event by event.

import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { verifyCheckpoint, verifyExportedProof } from '../../src/integrity/index.ts'
import { NodeHasher, TILE_LEAVES } from '../../src/integrity/merkle-tree.ts'
import { formatTilePath, parseTilePath } from '../../src/integrity/tile-path.ts'
import { hexOf } from '../../src/log/bytes.ts'
import type { Entry } from '../../src/log/entry.ts'
import { eventIdOf } from '../../src/log/event-id.ts'
import { leafHashOf } from '../../src/log/hash-chain.ts'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { decodeHead } from '../../src/protocol/sync-messages.ts'
import { openSigningKey } from '../../src/server/node.ts'
import { device, pendingOf, pushBody, say, serve } from './test-server.ts'

const hash = await createSha256()
const signing = { name: 'sync.example.org', keyPair: await generateKeyPair() }

async function keysOf({ call }: ReturnType<typeof serve>, token?: string) {
  return decodeHead(await (await call('/v1/head', {}, token)).json()).keys!
}

async function filled(...texts: string[]) {
  const served = serve({ signing })
  const log = await device()
  await say(log, 'a', ...texts)
  const receipt = await (await served.post(await pushBody(log, await served.epoch()))).json()
  return { ...served, served, log, receipt: receipt as { checkpoint: string; head: number } }
}

describe('the log of a server that signs', () => {
  test('is signed in receipts and at the end of pages, by the key that the head names', async () => {
    const { served, receipt, pull, epoch } = await filled('one', 'two')
    const keys = await keysOf(served)
    expect(keys.log).toMatch(new RegExp(`^sync.example.org/board/${await epoch()}\\+`))
    expect(keys.witness).toMatch(/^sync.example.org\/witness\+/)
    const { checkpoint } = await pull('after=0')
    expect(receipt.checkpoint).toBe(checkpoint)
    const verdict = await verifyCheckpoint(checkpoint!, { keys: [keys.log] })
    expect(verdict).toMatchObject({ isTrusted: true, checkpoint: { size: 2 } })
  })

  test('is not signed in the middle', async () => {
    const { pull } = await filled(...Array.from({ length: 20 }, () => 'x'.repeat(500)))
    expect(await pull('after=0&maxBytes=2000')).toMatchObject({ checkpoint: expect.any(String), next: 20 })
    const served = serve({ signing })
    const log = await device()
    for (let n = 0; n < 9; n++) await say(log, 'a', 'x'.repeat(500))
    await served.post(await pushBody(log, await served.epoch()))
    expect(await served.pull('after=0&maxBytes=2000')).toMatchObject({ checkpoint: null })
  })

  test('is signed in the name of its store and epoch', async () => {
    const { served, call } = await filled('one')
    const [one, other] = [await keysOf(served), await keysOf(served, 'other~ra')]
    expect(other.log).toMatch(/^sync.example.org\/other\//)
    const note = await (await call(`/v1/logs/${await served.epoch()}/checkpoint`)).text()
    expect(await verifyCheckpoint(note, { keys: [one.log] })).toMatchObject({ isTrusted: true })
    expect(await verifyCheckpoint(note, { keys: [other.log] })).toMatchObject({ isTrusted: false })
  })

  test('gives a receipt for each event, which holds without the server', async () => {
    const { served, log, call } = await filled('one', 'two', 'three')
    const [[first]] = (await pendingOf(log)) as [[Entry]]
    const eventId = eventIdOf(first.eventId)
    const proof = await (await call(`/v1/proof?eventId=${eventId}`)).text()
    const { log: key } = await keysOf(served)
    const verdict = await verifyExportedProof(proof, { keys: [key] })
    expect(verdict).toMatchObject({ isTrusted: true, event: { eventId, content: { data: 'one' } } })
    for (const unknown of [crypto.randomUUID(), 'x', '']) {
      expect((await call(`/v1/proof?eventId=${unknown}`)).status).toBe(404)
    }
  })

  test('does not go on when it is not what was signed', async () => {
    const { databases, call, epoch } = await filled('one', 'two')
    const [path, database] = [`/v1/logs/${await epoch()}/checkpoint`, databases.get('board')!]
    expect((await call(path)).status).toBe(200)
    const other = await filled('one', 'other')
    const errors: unknown[] = []
    const again = serve({ signing, onError: error => errors.push(error) })
    again.databases.set('board', database)
    database.blocks.splice(0, database.blocks.length, ...other.databases.get('board')!.blocks)
    for (const key of [...database.values.keys()]) if (key.startsWith('index/')) database.values.delete(key)
    expect((await again.call(path)).status).toBe(500)
    expect(String(errors[0])).toContain('at their checkpoint')
  })
})

describe('tiles', () => {
  const COUNT = 70_000

  test('make up the tree that the checkpoint names, and hold the entries', { timeout: 60_000 }, async () => {
    const served = serve({ signing })
    const log = await device()
    for (let n = 0; n < COUNT; n += 10_000) {
      await say(log, `s${n}`, ...Array.from({ length: 10_000 }, (_, i) => `${n + i}`))
    }
    const body = await pushBody(log, await served.epoch())
    expect((await served.post(body)).status).toBe(200)
    const prefix = `/v1/logs/${await served.epoch()}`
    const tile = async (level: number | 'entries', index: number, width = TILE_LEAVES) => {
      const response = await served.call(`${prefix}/${formatTilePath({ level, index, width })}`)
      if (response.status !== 200) return null
      expect(response.headers.get('cache-control')).toBe('private, max-age=31536000, immutable')
      return new Uint8Array(await response.arrayBuffer())
    }
    // As the specification counts them for a tree of 70,000.
    const hasher = new NodeHasher(hash)
    for (const index of [0, 100, 272]) {
      const leaves = (await tile(0, index))!
      expect(leaves.length).toBe(8192)
      const above = (await tile(1, index < 256 ? 0 : 1, index < 256 ? TILE_LEAVES : 17))!
      const at = (index % 256) * 32
      expect(hexOf(above.subarray(at, at + 32))).toBe(hexOf(hasher.perfectRoot(leaves)))
    }
    const [partial, level1, rest1, level2] = [
      (await tile(0, 273, 112))!,
      (await tile(1, 0))!,
      (await tile(1, 1, 17))!,
      (await tile(2, 0, 1))!,
    ]
    expect(hexOf(hasher.perfectRoot(level1))).toBe(hexOf(level2))
    // 70,000 = 65,536 + 4,096 + 256 + 64 + 32 + 16: perfect subtrees, from the right.
    const rest = [
      [0, 64],
      [64, 96],
      [96, 112],
    ].map(([from, to]) => hasher.perfectRoot(partial.slice(from! * 32, to! * 32)))
    const subtrees = [level2, hasher.perfectRoot(rest1.slice(0, 512)), rest1.slice(512, 544), ...rest]
    const root = subtrees.reduceRight((right, left) => hasher.node(left, right))
    const { checkpoint } = await verifyCheckpoint(await (await served.call(`${prefix}/checkpoint`)).text())
    expect(checkpoint).toMatchObject({ size: COUNT, rootHash: hexOf(root) })
    for (const [index, width] of [
      [5, 256],
      [273, 112],
      [273, 7],
    ] as const) {
      const [bundle, leaves] = [(await tile('entries', index, width))!, (await tile(0, index, width))!]
      expect(leavesOf(bundle)).toEqual(
        [...Array(width)].map((_, i) => hexOf(leaves.slice(i * 32, i * 32 + 32))),
      )
    }
    expect(await tile(0, 273)).toBeNull()
    expect(await tile(0, 273, 113)).toBeNull()
    expect(await tile(1, 1, 18)).toBeNull()
    expect(await tile(2, 1, 1)).toBeNull()
    expect(await tile(7, 0, 1)).toBeNull()
  })

  test('have one spelling of their paths', async () => {
    expect(formatTilePath({ level: 1, index: 1_234_067, width: 256 })).toBe('tile/1/x001/x234/067')
    for (const path of ['tile/0/000', 'tile/0/x001/234.p/7', 'tile/entries/000.p/255', 'tile/63/999']) {
      expect(formatTilePath(parseTilePath(path)!), path).toBe(path)
    }
    const wrong = ['tile/0/0', 'tile/00/000', 'tile/0/x000/001', 'tile/0/001/002', 'tile/0/000.p/256']
    const also = [
      'tile/0/000.p/0',
      'tile/0/000.p/07',
      'tile/-1/000',
      'tile/0/000/',
      'tile/x/000',
      'tile/0/x001',
    ]
    for (const path of [...wrong, ...also]) expect(parseTilePath(path), path).toBeNull()
    const { call, epoch } = await filled('one')
    for (const path of [...wrong, ...also])
      expect((await call(`/v1/logs/${await epoch()}/${path}`)).status).toBe(404)
  })

  test('are those of the store and epoch that the token and the path name', async () => {
    const { call, epoch } = await filled('one')
    expect((await call(`/v1/logs/${await epoch()}/tile/0/000.p/1`)).status).toBe(200)
    expect((await call('/v1/logs/another/tile/0/000.p/1')).status).toBe(404)
    expect((await call(`/v1/logs/${await epoch()}/tile/0/000.p/1`, {}, 'other~r')).status).toBe(404)
    expect((await call(`/v1/logs/${await epoch()}/tile/0/000.p/1`, {}, 'board~a')).status).toBe(403)
  })
})

describe('a server that does not sign', () => {
  test('says so', async () => {
    const { call, epoch, post } = serve()
    const log = await device()
    await say(log, 'a', 'one')
    expect(await (await post(await pushBody(log, await epoch()))).json()).toMatchObject({ checkpoint: null })
    expect(await (await call('/v1/head')).json()).toMatchObject({ keys: null })
    for (const path of [`/v1/logs/${await epoch()}/checkpoint`, '/v1/proof?eventId=x']) {
      expect((await call(path)).status).toBe(404)
    }
  })
})

describe('a signing key in a file', () => {
  test('is made once, for its owner alone', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'streamdingo-key-'))
    onTestFinished(() => rm(folder, { recursive: true }))
    const path = join(folder, 'keys', 'signing.pem')
    const [one, two] = await Promise.all([openSigningKey(path), openSigningKey(path)])
    expect(one.publicKey).toEqual(two.publicKey)
    expect((await openSigningKey(path)).publicKey).toEqual(one.publicKey)
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readFile(path, 'utf8')).toMatch(/^-----BEGIN PRIVATE KEY-----\n/)
    await rm(path)
    expect((await openSigningKey(path)).publicKey).not.toEqual(one.publicKey)
    await expect(openSigningKey(folder)).rejects.toThrow('EISDIR')
  })
})

function leavesOf(bundle: Uint8Array): string[] {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.length)
  const leaves: string[] = []
  for (let at = 0; at < bundle.length; ) {
    const length = view.getUint16(at)
    leaves.push(hexOf(leafHashOf(bundle.subarray(at + 2, at + 2 + length), hash)))
    at += 2 + length
  }
  return leaves
}
