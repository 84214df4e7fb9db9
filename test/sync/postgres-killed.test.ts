// The sync server's database is killed under load, twenty times, with no warning.

import { expect, onTestFinished, test } from 'vitest'
import { openLog } from '../../src/engine/open-log.ts'
import { listen } from '../../src/server/node.ts'
import { openPostgres } from '../../src/storage/postgres/index.ts'
import { createOwnPostgres, findPostgresBinaries } from '../support/own-postgres.ts'
import { hastyClock } from './hasty-clock.ts'
import { startHttpDevice } from './http-device.ts'
import { STORE, serverOver } from './sync-world.ts'

const binaries = await findPostgresBinaries()
const KILLS = 20

test.skipIf(!binaries)(
  `PostgreSQL killed ${KILLS} times under load: all that devices wrote is there, once (left out where no binaries of PostgreSQL are found)`,
  async () => {
    const postgres = await createOwnPostgres(binaries!)
    onTestFinished(postgres.remove)
    await postgres.start()
    const database = await openPostgres({ connectionString: postgres.url })
    onTestFinished(() => database.close())
    const server = await listen(serverOver(() => database.storage(STORE)))
    const devices = [
      await startHttpDevice(server.url, hastyClock),
      await startHttpDevice(server.url, hastyClock),
    ]
    onTestFinished(async () => {
      for (const { stop } of devices) await stop()
      await server.close()
    })
    for (const { until } of devices) await until(({ phase }) => phase === 'idle')

    const written: string[] = []
    let isOver = false
    /** Without a pause, to a stream of its own and to one that both write to. */
    const load = devices.map(async ({ store }, who) => {
      for (let n = 0; !isOver; n++) {
        for (const streamName of [`own-${who}`, 'shared']) {
          const data = `${n} of ${who} in ${streamName}`
          await store.appendToStream(streamName, [{ type: 'Said', data }])
          written.push(data)
        }
        await new Promise(resolve => setTimeout(resolve, 2))
      }
    })
    let confirmed = 0
    for (let kills = 0; kills < KILLS; kills++) {
      // Something got through since the last one, so that each hits a server at work.
      const position = confirmed
      await devices[0]!.until(({ serverPosition }) => serverPosition > position)
      await new Promise(resolve => setTimeout(resolve, (kills * 37) % 100))
      await postgres.kill()
      confirmed = devices[0]!.loop.status().serverPosition
      await postgres.start()
    }
    isOver = true
    await Promise.all(load)

    const isThrough = through(written.length)
    for (const { until } of devices) await until(isThrough)
    const logs = await Promise.all(devices.map(async ({ log }) => saidIn(log.readAll())))
    expect(logs[0]!.toSorted()).toEqual(written.toSorted())
    expect(logs[1]).toEqual(logs[0])
    for (const { log, loop } of devices) {
      expect(loop.status().rejected).toBe(0)
      expect(await log.verify()).toMatchObject({ ok: true })
    }
    const kept = await openLog({ storage: database.storage(STORE), storeId: STORE, isAuthority: true })
    expect(await kept.verify()).toMatchObject({ ok: true, events: written.length })
    await kept.close()
  },
  300_000,
)

const through = (position: number) => (status: { serverPosition: number; pending: number }) =>
  status.serverPosition === position && status.pending === 0

async function saidIn(parts: AsyncIterable<readonly { data: unknown }[]>): Promise<string[]> {
  const said: string[] = []
  for await (const part of parts) said.push(...part.map(({ data }) => data as string))
  return said
}
