// Another epoch: what a server says of how its log begins, and how an operator says that it was restored.

import { describe, expect, test } from 'vitest'
import { hexOf } from '../../src/log/bytes.ts'
import { decodePrefixResponse } from '../../src/protocol/sync-messages.ts'
import { memoryStorage } from '../../src/storage/memory/index.ts'
import { device, pushBody, say, serve } from './test-server.ts'

async function served() {
  const server = serve()
  const log = await device()
  await say(log, 'a', 'one', 'two')
  await say(log, 'b', 'three')
  await server.post(await pushBody(log, await server.epoch()))
  const prefix = async (query: string) =>
    decodePrefixResponse(await (await server.call(`/v1/prefix?${query}`)).json())
  return { server, log, prefix }
}

describe('how a log begins', () => {
  test('is told by the root of its first entries, or of all where there are fewer', async () => {
    const { server, log, prefix } = await served()
    for (const size of [0, 1, 3]) {
      const { root, ...rest } = await prefix(`size=${size}`)
      expect(rest).toEqual({ epoch: await server.epoch(), size, checkpoint: null, verifierKey: null })
      expect(hexOf(root)).toBe(hexOf(await log.proofs.treeRoot(size)))
    }
    expect(await prefix('size=9')).toMatchObject({ size: 3 })
    expect(await prefix('')).toMatchObject({ size: 3 })
  })

  test('is told with each page, whether or not the server signs', async () => {
    const { server, log } = await served()
    const page = await server.pull('after=2')
    expect(hexOf(page.root!)).toBe(hexOf(await log.proofs.treeRoot(3)))
  })

  test('is not told for a size that is none, nor to who may not read', async () => {
    const { server } = await served()
    for (const size of ['-1', '1.5', 'all']) {
      expect((await server.call(`/v1/prefix?size=${size}`)).status).toBe(400)
    }
    expect((await server.call('/v1/prefix?size=1', {}, 'board~a')).status).toBe(403)
    expect((await server.call('/v1/prefix?size=1', { method: 'POST' })).status).toBe(405)
  })
})

describe('a rotation', () => {
  test('gives the log another name, and takes no push that is meant for the one before', async () => {
    const { server, log } = await served()
    const before = await server.epoch()
    const body = await pushBody(log, before)
    const epoch = await server.server.rotateEpoch('board')
    expect(epoch).not.toBe(before)
    expect(await server.epoch()).toBe(epoch)
    const answer = await server.post(body)
    expect(answer.status).toBe(409)
    expect(await answer.json()).toMatchObject({ code: 'epoch-changed', facts: { epoch } })
    expect(await server.epoch('other~ra')).not.toBe(epoch)
  })

  test('is noticed by other servers on the database: they read it anew, and end their hints', async () => {
    const { server, log } = await served()
    const database = server.databases.get('board')!
    const other = serve({ openStorage: () => memoryStorage({ database }) })
    const hints = (await other.call('/v1/hints')).body!.getReader()
    await hints.read()
    // Restored to nothing under its feet.
    const { values } = database
    database.blocks.length = 0
    for (const key of [...values.keys()]) if (key !== 'server/epoch') values.delete(key)
    const epoch = await server.server.rotateEpoch('board')
    expect(await (await other.call('/v1/head')).json()).toMatchObject({ epoch, position: 0 })
    let isOpen = true
    while (isOpen) isOpen = !(await hints.read()).done
    expect(await (await other.post(await pushBody(log, epoch))).json()).toMatchObject({
      accepted: 2,
      head: 3,
    })
  })
})
