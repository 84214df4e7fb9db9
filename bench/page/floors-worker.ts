// Measures the floors where the store does its work: on a worker's thread.

import { createSHA256 } from 'hash-wasm'
import { createSha256 } from '../../src/log/sha256/create-sha256.ts'
import { makeEvents } from '../events.ts'
import { openBareStore } from './bare-store.ts'
import { timed } from './clock.ts'
import type { Floors } from './floors.ts'

/** Of the events that the bench makes, with what the log keeps beside them, so many fill a block of 56 KiB. */
const EVENTS_A_BLOCK = 200
const BLOCK_BYTES = 56 * 1024

self.onmessage = ({ data: events }: MessageEvent<number>) => {
  void measure(events).then(floors => self.postMessage(floors))
}

async function measure(events: number): Promise<Floors> {
  const data = makeEvents(0, events).map(event => event.data)
  const eachEvent = async (work: () => unknown): Promise<number> =>
    ((await timed(async () => void (await work()))) / events) * 1_000

  const texts: string[] = []
  const stringify = await eachEvent(() => {
    for (const one of data) texts.push(JSON.stringify(one))
  })

  const blocks: string[] = []
  for (let at = 0; at < events; at += EVENTS_A_BLOCK) {
    blocks.push(`[${texts.slice(at, at + EVENTS_A_BLOCK).join(',')}]`)
  }
  const parse = await eachEvent(() => {
    for (const block of blocks) JSON.parse(block)
  })

  const bytes = new TextEncoder().encode(texts.join(''))
  const ends = new Uint32Array(events)
  let end = 0
  for (const [i, text] of texts.entries()) ends[i] = end += text.length
  const hasher = await createSHA256()
  const shaEach = await eachEvent(() => {
    for (let i = 0; i < events; i++) {
      hasher
        .init()
        .update(bytes.subarray(i === 0 ? 0 : ends[i - 1], ends[i]))
        .digest('binary')
    }
  })
  const provider = await createSha256()
  const shaMany = await eachEvent(() => provider.digestMany(bytes, ends))

  const block = new Uint8Array(BLOCK_BYTES).map((_, i) => (i * 31) & 0xff)
  const shaBlock = await eachEvent(async () => {
    for (let i = 0; i < blocks.length; i++) await crypto.subtle.digest('SHA-256', block)
  })

  const store = await openBareStore(`floors-${Date.now()}`)
  const put = await eachEvent(async () => {
    for (let i = 0; i < blocks.length; i++) await store.put([block])
  })
  const get = await eachEvent(() => store.getAll())
  store.close()
  return { stringify, parse, shaEach, shaMany, shaBlock, put, get }
}
