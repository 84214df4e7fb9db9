// Stands between a client and a server and breaks the connections of the two, as networks do.

import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

/** How much of each connection gets through from now on, in bytes, and what becomes of it then. */
export type WireFault = Readonly<{
  /** From the client to the server. */
  up: number
  /** From the server to the client. */
  down: number
  /** `silence`: neither side hears of it, as when a network vanishes. It stays so when the fault is over. */
  end: 'cut' | 'silence'
}>

/** `slow`: a few bytes at a time. */
export type Wire = 'sound' | 'slow' | WireFault

export type FaultyProxy = Readonly<{
  url: string
  setWire: (wire: Wire) => void
  /** How many connections have come to the end of what gets through, over time. */
  broken: () => number
  close: () => Promise<void>
}>

const SLOW_BYTES = 64

/**
 * @param serverUrl of a server over plain TCP, such as `http://127.0.0.1:1234`
 * @param port of a proxy that was closed: until then connections to it are refused. Default: a free one
 */
export async function openFaultyProxy(serverUrl: string, port = 0): Promise<FaultyProxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let wire: Wire = 'sound'
  let broken = 0

  const proxy = createServer(client => {
    const server = connect(Number(target.port), target.hostname)
    const cut = (): void => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', cut).on('close', () => sockets.delete(socket) && cut())
    }
    const connection = { isSilent: false }
    forward(client, server, 'up', connection)
    forward(server, client, 'down', connection)
  })
  await new Promise<void>(resolve => proxy.listen(port, '127.0.0.1', resolve))

  return {
    url: `${target.protocol}//127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    setWire: next => {
      wire = next
    },
    broken: () => broken,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => proxy.close(resolve))
    },
  }

  function forward(
    from: Socket,
    to: Socket,
    direction: 'up' | 'down',
    connection: { isSilent: boolean },
  ): void {
    let passed = { under: wire, bytes: 0 }
    from.on('data', bytes => {
      if (connection.isSilent) return
      if (wire === 'sound') to.write(bytes)
      else if (wire === 'slow') void crawl(bytes, from, to)
      else {
        if (passed.under !== wire) passed = { under: wire, bytes: 0 }
        const part = bytes.subarray(0, wire[direction] - passed.bytes)
        passed.bytes += part.length
        to.write(part)
        if (part.length === bytes.length) return
        broken++
        if (wire.end === 'silence') connection.isSilent = true
        else to.destroySoon()
      }
    })
  }
}

async function crawl(bytes: Uint8Array, from: Socket, to: Socket): Promise<void> {
  from.pause()
  for (let at = 0; at < bytes.length && !to.destroyed; at += SLOW_BYTES) {
    to.write(bytes.subarray(at, at + SLOW_BYTES))
    await new Promise(resolve => setTimeout(resolve, 1))
  }
  from.resume()
}
