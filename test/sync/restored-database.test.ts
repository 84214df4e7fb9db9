// A real database that is backed up and put back: files of PGlite, copied while no server runs on them.

import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { openPostgres } from '../../src/storage/postgres/index.ts'
import { STORE, SyncWorld } from './sync-world.ts'

test('a database that is restored, and its epoch rotated: two devices converge with all that they had', async () => {
  const place = await mkdtemp(join(tmpdir(), 'streamdingo-restore-'))
  onTestFinished(() => rm(place, { recursive: true, force: true }))
  const [live, backup] = [join(place, 'live'), join(place, 'backup')]
  const world = new SyncWorld()
  let database = await openPostgres({ dataDir: live })
  const stop = async (): Promise<void> => {
    await world.server.close()
    await database.close()
  }
  const start = async (): Promise<void> => {
    database = await openPostgres({ dataDir: live })
    await world.serve(() => database.storage(STORE))
  }
  await world.serve(() => database.storage(STORE))
  const [one, two] = [await world.openDevice(), await world.openDevice()]
  for (const { loop } of [one, two]) loop.start()
  await one.append('a', ['before the backup'])
  await world.converge()

  await stop()
  await cp(live, backup, { recursive: true })
  await start()
  await one.append('a', ['of one, behind the backup'])
  await world.converge()
  await two.append('a', ['of two, behind the backup'])
  await world.converge()
  const confirmed = await one.confirmed()

  await stop()
  await rm(live, { recursive: true })
  await cp(backup, live, { recursive: true })
  await start()
  await world.server.rotateEpoch(STORE)
  await two.append('b', ['not sent yet'])
  for (const { loop } of [one, two]) loop.poke()
  await world.run(() => [one, two].every(({ loop }) => loop.status().serverPosition === 4))
  await world.converge()
  expect((await one.confirmed()).slice(0, 3)).toEqual(confirmed)
  expect(await two.confirmed()).toEqual(await one.confirmed())
  for (const { log, rejected } of [one, two]) {
    expect(rejected).toEqual([])
    expect(await log.verify()).toMatchObject({ ok: true })
  }
  await world.close()
  await database.close()
}, 60_000)
