// Stands between a client and PostgreSQL and decides what becomes of each COMMIT on the way.

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Socket } from 'node:net'

/** `request-lost`: the server never hears of it. `answer-lost`: it commits, and the client never hears of that. */
export type CommitFate = 'arrives' | 'request-lost' | 'answer-lost'

export type CommitProxy = Readonly<{
  url: string
  /** Decides, when it wants to, on every COMMIT from now on. */
  setFate: (fate: () => CommitFate | Promise<CommitFate>) => void
  close: () => Promise<void>
}>

const COMMIT = 'COMMIT\0'

export async function openCommitProxy(serverUrl: string): Promise<CommitProxy> {
  const target = new URL(serverUrl)
  const sockets = new Set<Socket>()
  let fateOf: () => CommitFate | Promise<CommitFate> = () => 'arrives'

  const proxy = createServer(client => {
    const server = connect(Number(target.port || 5432), target.hostname)
    const cut = (): void => {
      client.destroy()
      server.destroy()
    }
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', cut).on('close', () => sockets.delete(socket) && cut())
    }
    let fate: CommitFate = 'arrives'
    client.on('data', async bytes => {
      if (bytes.includes(COMMIT)) fate = await fateOf()
      if (fate === 'request-lost') cut()
      else server.write(bytes)
    })
    server.on('data', bytes => {
      if (fate === 'answer-lost') cut()
      else client.write(bytes)
    })
  })
  await new Promise<void>(resolve => proxy.listen(0, '127.0.0.1', resolve))

  const url = new URL(serverUrl)
  url.hostname = '127.0.0.1'
  url.port = String((proxy.address() as AddressInfo).port)
  return {
    url: url.href,
    setFate: fate => {
      fateOf = fate
    },
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise(resolve => proxy.close(resolve))
    },
  }
}
