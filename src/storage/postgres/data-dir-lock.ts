// One process at a time in a data folder of PGlite, which has no lock: of two that append, one overwrites what the
// other had acknowledged.

import { readFile, rm, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { StorageFailed } from '../../log/errors.ts'

/** Lock files of this process. Its own number in one that is not here was left by a process long gone. */
const held = new Set<string>()

/**
 * As PostgreSQL does with its postmaster.pid, in a file beside the folder: PGlite wants that empty at first. A lock
 * whose process has ended is taken over. Locks out the processes of one machine, not those of another container.
 *
 * @returns the function that gives the folder free again.
 * @throws `StorageFailed` `blocked` while somebody holds the folder.
 */
export async function lockDataDir(dataDir: string): Promise<() => Promise<void>> {
  const path = `${resolve(dataDir)}.lock`
  if (held.has(path)) throw inUse(path, process.pid)
  held.add(path)
  try {
    await takeLock(path)
  } catch (error) {
    held.delete(path)
    throw error
  }
  return async () => {
    await rm(path, { force: true })
    held.delete(path)
  }
}

async function takeLock(path: string): Promise<void> {
  if (await isCreated(path)) return
  const holder = Number(await readFile(path, 'utf8'))
  if (holder !== process.pid && isAlive(holder)) throw inUse(path, holder)
  await writeFile(path, String(process.pid))
}

function inUse(path: string, holder: number): StorageFailed {
  return new StorageFailed(
    'blocked',
    `Process ${holder} uses this data folder. If it does not, remove ${path}`,
  )
}

async function isCreated(path: string): Promise<boolean> {
  try {
    await writeFile(path, String(process.pid), { flag: 'wx' })
    return true
  } catch (error) {
    if ((error as { code?: unknown }).code === 'EEXIST') return false
    throw error
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    // Alive, but another user's.
    return (error as { code?: unknown }).code === 'EPERM'
  }
}
