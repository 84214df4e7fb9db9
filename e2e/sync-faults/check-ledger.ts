// Whether all that devices were told is kept is in the server's log, once, or was given back with a reason.

import { expect } from 'vitest'
import type { accountOf, Kept, LedgerLine, Way } from '../harness/ledger.ts'

export type Account = Awaited<ReturnType<typeof accountOf>>

export type Device = Readonly<{ who: string; ledger: readonly LedgerLine[]; account: Account }>

type Fate = 'confirmed' | 'rejected' | 'idle'
export type Fates = Readonly<Record<string, number>>

/**
 * Of devices at rest, and of one that has only read. Returns how many commits of each way met with each fate.
 *
 * @param unsure commits of which nobody was told that they are kept, or of which the browser said that it destroyed them:
 *   they are in the log whole, once, or not at all
 */
export function checkLedgers(
  devices: readonly Device[],
  reader: Account,
  unsure: readonly LedgerLine[] = [],
): Fates {
  const log = reader.kept
  const inLog = new Set(log.map(({ eventId }) => eventId))
  expect(inLog.size, 'no event is there twice').toBe(log.length)
  for (const { account } of devices) checkSame(account, reader)

  const lines = [...devices.flatMap(({ ledger }) => ledger), ...unsure]
  const known = new Set(lines.flatMap(({ eventIds }) => eventIds))
  expect(log.filter(({ eventId }) => !known.has(eventId))).toEqual([])
  for (const { eventIds } of unsure) {
    expect([0, eventIds.length]).toContain(eventIds.filter(id => inLog.has(id)).length)
  }
  expect(ordersOf(log)).toEqual(ordersOf(log.toSorted((a, b) => a.n - b.n)))
  for (const stream of ['hall-a', 'agenda-a']) {
    const subjects = log.filter(({ streamName }) => streamName === stream).map(({ subject }) => subject)
    expect(new Set(subjects).size, stream).toBe(subjects.length)
  }

  const fates: Record<string, number> = {}
  for (const device of devices) {
    for (const line of device.ledger) {
      const fate = `${line.way}: ${fateOf(line, device, log, inLog)}`
      fates[fate] = (fates[fate] ?? 0) + 1
    }
  }
  return fates
}

function checkSame({ kept, stateHashes, verified, status }: Account, reader: Account): void {
  expect(status).toMatchObject({
    phase: 'idle',
    pending: 0,
    oldestPendingAt: null,
    error: null,
    retryAt: null,
  })
  expect(verified).toMatchObject({ ok: true })
  expect(reader.verified).toMatchObject({ ok: true, events: kept.length })
  // With their hashes, which say what is in them and behind which one they stand.
  expect(kept).toEqual(reader.kept)
  expect(kept.filter(one => one.status !== 'confirmed')).toEqual([])
  expect(stateHashes).toEqual(reader.stateHashes)
}

/** What each author wrote to each stream, in the order of the log. */
function ordersOf(log: readonly Kept[]): Record<string, number[]> {
  const orders = new Map<string, number[]>()
  for (const { by, streamName, n } of log) {
    const name = `${by} in ${streamName}`
    orders.set(name, [...(orders.get(name) ?? []), n])
  }
  return Object.fromEntries([...orders].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** Ways in which a commit may be refused when it meets others. */
const MAY_BE_REJECTED: ReadonlySet<Way> = new Set(['reject', 'command'])

/** Fails for a commit that is lost, or was kept in part. */
function fateOf(
  line: LedgerLine,
  { who, account }: Device,
  log: readonly Kept[],
  inLog: ReadonlySet<string>,
): Fate {
  const { way, eventIds, n, subject } = line
  const name = `${way} ${n} of ${who}`
  const kept = eventIds.filter(id => inLog.has(id)).length
  const rejection = account.rejections.find(({ events }) =>
    events.some(({ eventId }) => eventId === eventIds[0]),
  )
  if (kept > 0) {
    expect(kept, `${name} is kept whole`).toBe(eventIds.length)
    expect(rejection, `${name} is kept`).toBe(undefined)
    return 'confirmed'
  }
  if (way === 'command that may be idle' && rejection === undefined) {
    const same = log.find(one => one.streamName === 'agenda-a' && one.subject === subject)
    expect(same, `${name} is idle since another one was first`).toBeDefined()
    return 'idle'
  }
  expect(rejection, `${name} is lost`).toBeDefined()
  expect(MAY_BE_REJECTED, `${name} was rejected`).toContain(way)
  expect(rejection!.events.map(({ eventId }) => eventId)).toEqual(eventIds)
  expect(rejection!.reason.message).not.toBe('')
  if (way === 'command') {
    expect(rejection!.reason).toMatchObject({ code: 'command-refused', message: `Seat ${subject} is taken` })
    expect(log.some(one => one.streamName === 'hall-a' && one.subject === subject)).toBe(true)
  }
  return 'rejected'
}
