// The way between a loop and the server: every message waits for its turn and may be lost, doubled, late or cut.

import { textOf } from '../../src/log/bytes.ts'
import type { Fetch } from '../../src/sync/authorized-fetch.ts'
import type { Process } from './process.ts'
import type { RequestRules } from './request-rules.ts'
import type { Scheduler } from './scheduler.ts'

/** What becomes of one request. Hints have their own. */
export type NetFault =
  | 'lost'
  | 'answer-lost'
  | 'doubled'
  | 'late'
  | 'hanging'
  | 'cut'
  | 'failing'
  | 'dies-sending'
export type HintFault = 'lost' | 'doubled' | 'broken'

export type ServerSide = Readonly<{
  process: Process
  fetch: (request: Request) => Promise<Response>
}>

/** What a device's requests will meet. */
export class Line {
  isCut = false
  readonly faults: NetFault[] = []
  readonly hintFaults: HintFault[] = []

  mend(): void {
    this.isCut = false
    this.faults.length = 0
    this.hintFaults.length = 0
  }
}

export type NetworkParts = Readonly<{
  scheduler: Scheduler
  line: Line
  process: Process
  rules: RequestRules
  server: () => ServerSide
}>

type Answer = Readonly<{
  status: number
  headers: [string, string][]
  body: Uint8Array<ArrayBuffer>
  isCut: boolean
}>

/** Messages on their way belong to nobody who could die. */
const NETWORK = { isAlive: true }

export function networkOf(parts: NetworkParts): Fetch {
  const { scheduler, line, process, rules, server } = parts
  return (url, init) => (new URL(url).pathname === '/v1/hints' ? hints(url, init) : request(url, init))

  async function request(url: string, init: RequestInit): Promise<Response> {
    const { pathname } = new URL(url)
    const isPush = init.method === 'POST'
    const isPull = !isPush && pathname === '/v1/log'
    const label = `${process.name} ${isPush ? 'POST' : 'GET'} ${pathname}`
    rules.begins(isPush)
    let isOpen = true
    const end = () => {
      if (isOpen) rules.ended()
      isOpen = false
    }
    init.signal!.addEventListener('abort', end)
    try {
      const answer = await exchange(label, () => new Request(url, requestOf(init)))
      if (isPush && answer.status === 200) {
        const { epoch } = headOf(init.body as Uint8Array<ArrayBuffer>) as { epoch: string }
        rules.accepted(epoch, (JSON.parse(textOf(answer.body)) as { epoch: string }).epoch)
      }
      if (!isOpen) throw broken()
      if (answer.status === 413) rules.tooLarge(textOf(answer.body))
      if (answer.status >= 500 || answer.isCut) rules.failed()
      else if (isPull && answer.status === 200) rules.toldOf(endToldBy(answer.body))
      end()
      return new Response(answer.isCut ? cutBody(answer.body) : answer.body, answer)
    } catch (error) {
      // Whoever has given it up hears nothing of it.
      if (isOpen) rules.failed()
      end()
      throw error
    }
  }

  async function exchange(label: string, make: () => Request): Promise<Answer> {
    const fault = line.faults.shift() ?? null
    if (fault) scheduler.note(`${label} will be ${fault}`)
    if (fault === 'dies-sending') {
      process.crash()
      return new Promise(() => {})
    }
    if (fault === 'hanging') return new Promise(() => {})
    await scheduler.park(`${label} arrives`, process)
    if (line.isCut || fault === 'lost') throw broken()
    if (fault === 'failing') return { status: 500, headers: [], body: new Uint8Array(), isCut: false }
    if (fault === 'doubled' || fault === 'late') {
      const again = make()
      scheduler.park(`${label} arrives late`, NETWORK).then(() => deliver(again).catch(() => {}))
    }
    if (fault === 'late') throw broken()
    const answer = await deliver(make())
    await scheduler.park(`${label} is answered ${answer.status}`, process)
    if (line.isCut || fault === 'answer-lost') throw broken()
    return { ...answer, isCut: fault === 'cut' }
  }

  async function deliver(request: Request): Promise<Answer> {
    const { process: serving, fetch } = server()
    if (!serving.isAlive) throw broken()
    const answering = fetch(request).then(async response => ({
      status: response.status,
      headers: [...response.headers] as [string, string][],
      body: new Uint8Array(await response.arrayBuffer()),
      isCut: false,
    }))
    const answer = await Promise.race([answering, serving.death])
    if (!answer) throw broken()
    return answer
  }

  async function hints(url: string, init: RequestInit): Promise<Response> {
    const label = `${process.name} hints`
    await scheduler.park(`${label} asked for`, process)
    const { process: serving, fetch } = server()
    if (line.isCut || !serving.isAlive) throw broken()
    const response = await Promise.race([fetch(new Request(url, requestOf(init))), serving.death])
    if (!response) throw broken()
    await scheduler.park(`${label} opened ${response.status}`, process)
    if (response.status !== 200) return response
    return new Response(passOn(response.body!, label, serving), response)
  }

  function passOn(
    body: ReadableStream<Uint8Array>,
    label: string,
    serving: Process,
  ): ReadableStream<Uint8Array> {
    const reader = body.getReader()
    const closing = Promise.race([serving.death, process.death]).then(() => {
      reader.cancel().catch(() => {})
      return null
    })
    return new ReadableStream({
      async pull(controller) {
        for (;;) {
          const read = await Promise.race([reader.read(), closing])
          if (!read || read.done) return controller.close()
          await scheduler.park(label, process)
          const fault = line.hintFaults.shift() ?? null
          if (fault === 'broken' || line.isCut) {
            reader.cancel().catch(() => {})
            return controller.error(broken())
          }
          if (fault === 'lost') continue
          controller.enqueue(read.value)
          if (fault === 'doubled') controller.enqueue(read.value)
          return
        }
      },
      cancel: () => void reader.cancel().catch(() => {}),
    })
  }
}

const broken = () => new TypeError('fetch failed')

/** Half of it comes, and then nothing any more. */
function cutBody(body: Uint8Array<ArrayBuffer>): ReadableStream<Uint8Array> {
  let isHalfSent = false
  return new ReadableStream({
    pull(controller) {
      if (isHalfSent) return controller.error(broken())
      isHalfSent = true
      controller.enqueue(body.slice(0, Math.ceil(body.length / 2)))
    },
  })
}

/** Without the signal: what was sent is on its way, whoever waits for it or not. */
function requestOf({ signal: _, ...init }: RequestInit): RequestInit {
  return init
}

/** An empty page is the end, whatever grew behind it since. */
function endToldBy(page: Uint8Array<ArrayBuffer>): number {
  const { after, next, head } = headOf(page) as { after: number; next: number; head: number }
  return next === after ? after : head
}

/** Of a page or a push (docs/protocol.md). */
function headOf(body: Uint8Array<ArrayBuffer>): unknown {
  const length = new DataView(body.buffer, body.byteOffset).getUint32(0)
  return JSON.parse(textOf(body.subarray(4, 4 + length)))
}
