// The command line's verifier, on files and on a served log, good ones and forged.

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EXIT, run } from '../../src/cli/run.ts'
import type { LogSigning } from '../../src/engine/checkpoint-book.ts'
import { createEventStore } from '../../src/engine/event-store.ts'
import { openLog } from '../../src/engine/open-log.ts'
import { generateKeyPair } from '../../src/integrity/ed25519.ts'
import { createNoteSigner, formatVerifierKey } from '../../src/integrity/note-key.ts'
import { newEventId } from '../../src/log/event-id.ts'
import { decodeHead } from '../../src/protocol/sync-messages.ts'
import { listen } from '../../src/server/node.ts'
import { createSyncServer } from '../../src/server/sync-server.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { pushBody, say } from '../server/test-server.ts'

const signer = await createNoteSigner('streamdingo/shop/device', await generateKeyPair())
const vkey = formatVerifierKey(signer.key)
const stranger = formatVerifierKey((await createNoteSigner('a', await generateKeyPair())).key)
const signing = async (): Promise<LogSigning> => ({ status: 'signed', signer })
const log = await openLog({ storage: memoryStorage(), storeId: 'shop', signing })
const store = createEventStore(log)
const id = newEventId()
await store.appendToStream('cart-1', [
  { id, type: 'Added', data: { sku: 'apple' } },
  { type: 'Added', data: { sku: 'pear' } },
])
const proof = await store.exportProof(id)

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'streamdingo-cli-'))
})
afterAll(async () => {
  await rm(folder, { recursive: true })
  await store.close()
})

async function file(name: string, text: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, text)
  return path
}

async function call(...args: string[]) {
  const [out, errors]: [string[], string[]] = [[], []]
  const code = await run(args, { out: text => out.push(text), error: text => errors.push(text) })
  return { code, out: out.join('\n'), error: errors.join('\n') }
}

describe('a proof of an event', () => {
  test('is shown in words to who trusts its key', async () => {
    const { code, out } = await call('verify', await file('good.tlog-proof', proof), '--key', vkey)
    expect(code).toBe(EXIT.trusted)
    expect(out).toContain('It holds, and what you trust vouches for it.')
    expect(out).toContain('“Added”, version 1 of stream “cart-1”')
    expect(out).toContain('{"sku":"apple"}')
  })

  test('holds without a key, and says that nothing vouches for it', async () => {
    const { code, out } = await call('verify', await file('good.tlog-proof', proof))
    expect(code).toBe(EXIT.untrusted)
    expect(out).toContain('give a key')
  })

  test('that was changed does not hold, and shows nothing', async () => {
    const forged = proof.replace('index 0', 'index 1')
    const { code, out } = await call('verify', await file('bad.tlog-proof', forged), '--key', vkey)
    expect(code).toBe(EXIT.fails)
    expect(out).toContain('FAIL inclusion')
    expect(out).not.toContain('apple')
    const other = await call('verify', await file('good.tlog-proof', proof), '--key', stranger)
    expect(other.code).toBe(EXIT.fails)
  })

  test('is judged as JSON for machines', async () => {
    const { out } = await call('verify', await file('good.tlog-proof', proof), '--key', vkey, '--json')
    expect(JSON.parse(out)).toMatchObject({
      holds: true,
      isTrusted: true,
      steps: ['format', 'entry', 'inclusion', 'signature'].map(name => ({ name, outcome: 'holds' })),
    })
  })
})

describe('other files', () => {
  test('a checkpoint', async () => {
    const { text } = await store.checkpoint()
    const path = await file('checkpoint', text)
    expect(await call('verify', path, '--key', stranger, '--key', vkey)).toMatchObject({ code: EXIT.trusted })
    expect(await call('verify', path)).toMatchObject({ code: EXIT.untrusted })
    const forged = await file('forged', text.replace('\n2\n', '\n3\n'))
    expect(await call('verify', forged, '--key', vkey)).toMatchObject({ code: EXIT.fails })
  })

  test('proofs as JSON, by a root that was noted', async () => {
    const inclusion = await store.proveInclusion(id)
    const consistency = await store.proveConsistency(1)
    for (const [json, root] of [
      [inclusion, inclusion.rootHash],
      [consistency, consistency.rootHash1],
    ] as const) {
      const path = await file('proof.json', JSON.stringify(json))
      expect((await call('verify', path, '--root', root.toUpperCase())).code).toBe(EXIT.trusted)
      expect((await call('verify', path)).code).toBe(EXIT.untrusted)
      expect((await call('verify', path, '--root', '0'.repeat(64))).code).toBe(EXIT.fails)
      const forged = await file('forged.json', JSON.stringify({ ...json, hashes: [] }))
      expect((await call('verify', forged, '--root', root)).code).toBe(EXIT.fails)
    }
  })

  test('what is none of all that does not hold; what is not there, or a key that is none, cannot be judged', async () => {
    for (const text of ['', 'hello', '{}', '{"hashes":[]}', '[]', 'null', '{"hashes":[1],"leafHash":7}']) {
      expect((await call('verify', await file('other', text))).code, text).toBe(EXIT.fails)
    }
    expect((await call('verify', join(folder, 'nothing'))).code).toBe(EXIT.unreadable)
    const path = await file('good.tlog-proof', proof)
    expect(await call('verify', path, '--key', 'x')).toMatchObject({ code: EXIT.unreadable })
  })

  test('a call that is wrong is answered with how it goes', async () => {
    for (const args of [[], ['verify'], ['prove', 'x'], ['verify', 'a', 'b'], ['verify', 'a', '--no-such']]) {
      const { code, error } = await call(...args)
      expect(code, args.join(' ')).toBe(EXIT.usage)
      expect(error).toContain('Usage:')
    }
    expect(await call('--help')).toMatchObject({ code: 0, out: expect.stringContaining('Usage:') })
  })
})

describe('a served log', () => {
  async function served(events: number) {
    const server = createSyncServer({
      openStorage: () => memoryStorage(),
      authorize: request =>
        request.headers.has('authorization') ? { storeId: 'shop', read: true, append: true } : null,
      signing: { name: 'sync.test', keyPair: await generateKeyPair() },
    })
    const { url, close } = await listen(server)
    onTestFinished(close)
    const headers = { authorization: 'Bearer token' }
    const head = async () => decodeHead(await (await fetch(`${url}/v1/head`, { headers })).json())
    const { epoch, keys } = await head()
    const device = await openLog({ storage: memoryStorage(), storeId: 'shop' })
    onTestFinished(() => device.close())
    const prefix = `${url}/v1/logs/${epoch}`
    const push = async (...texts: string[]) => {
      await say(device, `s${texts.length % 3}`, ...texts)
      const body = await pushBody(device, epoch)
      const octets = { ...headers, 'content-type': 'application/octet-stream' }
      const pushed = await fetch(`${url}/v1/log`, { method: 'POST', body, headers: octets })
      const receipt = (await pushed.json()) as { checkpoint: string }
      return file(`checkpoint-${crypto.randomUUID()}`, receipt.checkpoint)
    }
    const old = await push(...Array.from({ length: events }, (_, n) => `${n}`))
    return { url, prefix, key: keys!.log, push, old, headers }
  }

  test('is read whole, and goes on from what it was', async () => {
    const { prefix, key, push, old } = await served(600)
    const all = [prefix, '--key', key, '--token', 'token'] as const
    expect(await call('verify', ...all)).toMatchObject({
      code: EXIT.trusted,
      out: expect.stringContaining('600 entries, each with its hash'),
    })
    await push('more', 'and more')
    expect(await call('verify', ...all, '--old', old)).toMatchObject({
      code: EXIT.trusted,
      out: expect.stringContaining('goes on from its first 600 entries'),
    })
    expect((await call('verify', prefix, '--token', 'token')).code).toBe(EXIT.untrusted)
    expect((await call('verify', prefix, '--key', key)).code).toBe(EXIT.unreadable)
    expect((await call('verify', `${prefix}x`, '--token', 'token')).code).toBe(EXIT.unreadable)
  })

  test('that is not the one of an old checkpoint does not hold', async () => {
    const { prefix, key, old, headers } = await served(300)
    const note = await (await fetch(`${prefix}/checkpoint`, { headers })).text()
    const against = async (text: string) => {
      const path = await file('old', text)
      return call('verify', prefix, '--key', key, '--token', 'token', '--old', path)
    }
    expect(await against(note)).toMatchObject({ code: EXIT.trusted })
    expect(await against(note.replace('\n300\n', '\n301\n'))).toMatchObject({
      code: EXIT.fails,
      out: expect.stringContaining('shorter'),
    })
    expect(await against(note.replace('\n300\n', '\n299\n'))).toMatchObject({
      code: EXIT.fails,
      out: expect.stringContaining('not those of the old checkpoint'),
    })
    const other = await served(300)
    expect(await call('verify', other.prefix, '--token', 'token', '--old', old)).toMatchObject({
      code: EXIT.fails,
      out: expect.stringContaining('is of another log'),
    })
    expect((await against('nothing')).code).toBe(EXIT.unreadable)
  })

  test('that was changed on the way does not hold, wherever that was', async () => {
    const { prefix, key, headers } = await served(300)
    const change = async (where: RegExp, forge: (bytes: Uint8Array) => Uint8Array) => {
      const proxied = await proxy(prefix, headers, (path, bytes) => (where.test(path) ? forge(bytes) : bytes))
      const { code, out } = await call('verify', proxied, '--key', key)
      expect(code, out).toBe(EXIT.fails)
      return out
    }
    const flip = (at: number) => (bytes: Uint8Array) => {
      const other = Uint8Array.from(bytes)
      other[at]! ^= 1
      return other
    }
    expect(await change(/tile\/0\/000$/, flip(40))).toContain('entry 2 does not have the hash')
    expect(await change(/tile\/entries\/001/, flip(100))).toContain('does not have the hash')
    expect(await change(/tile\/entries\/000$/, bytes => bytes.subarray(0, -1))).toContain('cannot be read')
    expect(await change(/tile\/0\/001/, bytes => bytes.subarray(0, 32))).toContain('FAIL entries')
    expect(await change(/tile\/0\/000$/, bytes => bytes.subarray(32))).toContain('FAIL entries')
    expect(
      await change(/checkpoint/, bytes => Buffer.from(Buffer.from(bytes).toString().replace('300', '299'))),
    ).toContain('FAIL signature')
    expect(await change(/checkpoint/, () => Buffer.from('nothing'))).toContain('FAIL format')
  })

  test('that sends without end, breaks off or does not answer cannot be judged', async () => {
    const { prefix, headers } = await served(3)
    const long = await proxy(prefix, headers, (path, bytes) =>
      path.endsWith('checkpoint') ? new Uint8Array(70_000) : bytes,
    )
    expect(await call('verify', long)).toMatchObject({
      code: EXIT.unreadable,
      error: expect.stringContaining('more than'),
    })
    const broken = await serving((_request, response) => response.socket!.destroy())
    expect(await call('verify', broken)).toMatchObject({ code: EXIT.unreadable })
    expect(await call('verify', 'http://127.0.0.1:1/log')).toMatchObject({ code: EXIT.unreadable })
  })
})

/** Passes requests on with other headers, and answers back changed. */
function proxy(
  prefix: string,
  headers: Record<string, string>,
  change: (path: string, bytes: Uint8Array) => Uint8Array,
): Promise<string> {
  return serving(async (request, response) => {
    const passed = await fetch(prefix + request.url!, { headers })
    response.end(change(request.url!, new Uint8Array(await passed.arrayBuffer())))
  })
}

async function serving(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => void server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
