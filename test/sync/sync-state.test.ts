import { describe, expect, test } from 'vitest'
import type { Hash } from '../../src/log/event.ts'
import type { PushReceipt } from '../../src/protocol/sync-messages.ts'
import { statusOf } from '../../src/sync/status-of.ts'
import { plainError, type SyncFailure } from '../../src/sync/sync-failure.ts'
import type { Moment, Standing, SyncEffect, SyncInput } from '../../src/sync/sync-io.ts'
import {
  initialSyncState,
  LINGER_MS,
  POLL_MS,
  PUSH_BYTES,
  type SyncState,
  step,
} from '../../src/sync/sync-state.ts'

const EPOCH = 'e1'
const NO_ERASURES = { taken: 0, unsent: 0 }

/** A machine with a clock: takes inputs, keeps all effects, and gives those of the last input. */
function machine() {
  let state: SyncState = initialSyncState
  let now = 1_000
  let effects: readonly SyncEffect[] = []
  return {
    give(input: SyncInput, moment: Partial<Moment> = {}): readonly SyncEffect[] {
      const [next, asked] = step(state, input, { now, chance: 0.5, ...moment })
      state = next
      effects = asked
      return effects
    },
    pass: (ms: number) => {
      now += ms
    },
    effects: () => effects,
    types: () => effects.map(({ type }) => type),
    status: () => statusOf(state),
    state: () => state,
  }
}

function standing(facts: Partial<Standing> = {}): Standing {
  return { epoch: EPOCH, position: 0, pending: 0, rejected: 0, erasures: NO_ERASURES, ...facts }
}

/** The answer to a push of one pending event, which is still pending: the receipt does not say where it stands. */
function answered(facts: Partial<PushReceipt> = {}, after: Partial<Standing> = {}): SyncInput {
  const receipt = {
    epoch: EPOCH,
    accepted: 1,
    after: null,
    head: 1,
    checkpoint: null,
    refusal: null,
    ...facts,
  }
  const refused = receipt.refusal && FIRST
  return { type: 'pushDone', receipt, refused, standing: standing({ pending: 1, ...after }) }
}

function refused(status: number, code = 'some-code', retryAfterMs: number | null = null): SyncFailure {
  return { type: 'refused', status, code, message: `status ${status}`, facts: {}, retryAfterMs }
}

const UNREACHABLE: SyncFailure = { type: 'unreachable', message: 'fetch failed', timedOut: false }
const PULL = { type: 'pull', after: 0, epoch: EPOCH }
/** The commit that a push begins with. */
const FIRST = 'hash' as Hash
const SENT = { commits: 4, bytes: 4_000, first: FIRST }

function started(facts: Partial<Standing> = {}) {
  const sync = machine()
  sync.give({ type: 'started', standing: standing(facts) })
  return sync
}

/** Everything pulled, nothing pending, hints open. */
function idle(position = 0) {
  const sync = started({ position })
  sync.give({ type: 'pullDone', standing: standing({ position }), head: position, maxPushBytes: null })
  sync.give({ type: 'hintsOpened' })
  return sync
}

/** In the middle of the push of a pending event. */
function pushing(facts: Partial<Standing> = {}) {
  const sync = started({ pending: 1, ...facts })
  sync.give({
    type: 'pullDone',
    standing: standing({ pending: 1, ...facts }),
    head: facts.position ?? 0,
    maxPushBytes: null,
  })
  expect(sync.status().phase).toBe('pushing')
  return sync
}

describe('the order of requests', () => {
  test('does nothing before it is started', () => {
    const sync = machine()
    for (const input of [{ type: 'poked' }, { type: 'online' }, { type: 'timer' }] as const) {
      expect(sync.give(input)).toEqual([])
    }
    expect(sync.status().phase).toBe('off')
  })

  test('pulls first when it is started with something pending', () => {
    const sync = machine()
    expect(sync.give({ type: 'started', standing: standing({ pending: 3 }) })).toEqual([PULL])
    expect(sync.status()).toMatchObject({ phase: 'pulling', pending: 3 })
  })

  test('pulls page after page until it has reached the end, and only then pushes', () => {
    const sync = started({ pending: 1 })
    expect(
      sync.give({
        type: 'pullDone',
        standing: standing({ position: 5, pending: 1 }),
        head: 9,
        maxPushBytes: null,
      }),
    ).toEqual([{ ...PULL, after: 5 }])
    sync.give({
      type: 'pullDone',
      standing: standing({ position: 9, pending: 1 }),
      head: 9,
      maxPushBytes: null,
    })
    expect(sync.types()).toEqual(['openHints', 'push'])
  })

  test('opens the hints when it has caught up for the first time, and polls until they are open', () => {
    const sync = started()
    expect(sync.give({ type: 'pullDone', standing: standing(), head: 0, maxPushBytes: null })).toEqual([
      { type: 'schedule', delayMs: POLL_MS * 0.75 },
      { type: 'openHints' },
    ])
    expect(sync.give({ type: 'hintsOpened' })).toEqual([{ type: 'cancelTimer' }])
    expect(sync.status()).toMatchObject({ phase: 'idle', error: null, retryAt: null })
  })

  test('pulls again after a push that was accepted whole: the receipt confirms nothing', () => {
    const sync = pushing()
    expect(sync.give(answered())).toEqual([PULL])
    expect(sync.status().pending).toBe(1)
    sync.give({ type: 'pullDone', standing: standing({ position: 1 }), head: 1, maxPushBytes: null })
    expect(sync.status()).toMatchObject({ pending: 0, serverPosition: 1 })
  })

  test('pulls also after a receipt that has confirmed everything: others may have pushed too', () => {
    const sync = pushing()
    sync.give(answered({ after: 0 }, { position: 1, pending: 0 }))
    expect(sync.status()).toMatchObject({ phase: 'pulling', pending: 0, serverPosition: 1 })
    sync.give({ type: 'pullDone', standing: standing({ position: 1 }), head: 1, maxPushBytes: null })
    expect(sync.status().phase).toBe('idle')
  })

  test('pushes the rest after the pull that confirmed the first part', () => {
    const sync = pushing({ pending: 5 })
    sync.give(answered({ accepted: 2, head: 2 }))
    sync.give({
      type: 'pullDone',
      standing: standing({ position: 2, pending: 3 }),
      head: 2,
      maxPushBytes: null,
    })
    expect(sync.types()).toEqual(['push'])
  })

  test('does not push again at once when the log counts what it does not have', () => {
    const sync = pushing()
    sync.give({ type: 'pushEmpty', standing: standing({ pending: 1 }) })
    expect(sync.types()).not.toContain('push')
    expect(sync.status().phase).toBe('idle')
  })

  test('pulls after a push that found nothing left, as when another tab has confirmed it', () => {
    const sync = pushing()
    expect(sync.give({ type: 'pushEmpty', standing: standing({ position: 1 }) })).toEqual([
      { ...PULL, after: 1 },
    ])
  })

  test('tells when it last heard of the server', () => {
    const sync = started()
    expect(sync.status().lastContactAt).toBeNull()
    sync.give({ type: 'pullDone', standing: standing(), head: 0, maxPushBytes: null }, { now: 7_000 })
    expect(sync.status().lastContactAt).toBe(7_000)
  })
})

describe('local appends', () => {
  test('are pushed together a moment after the first', () => {
    const sync = idle()
    expect(sync.give({ type: 'logChanged', standing: standing({ pending: 1 }) })).toEqual([
      { type: 'schedule', delayMs: LINGER_MS },
    ])
    expect(sync.give({ type: 'logChanged', standing: standing({ pending: 2 }) })).toEqual([])
    expect(sync.status()).toMatchObject({ phase: 'pushing', pending: 2 })
    sync.give({ type: 'timer' })
    expect(sync.types()).toContain('push')
  })

  test('do not cut a wait short', () => {
    const sync = started()
    sync.give({ type: 'pullFailed', failure: UNREACHABLE })
    expect(sync.give({ type: 'logChanged', standing: standing({ pending: 1 }) })).toEqual([])
    expect(sync.status()).toMatchObject({ phase: 'waiting', pending: 1 })
  })

  test('wait for the request that is under way', () => {
    const sync = started()
    expect(sync.give({ type: 'logChanged', standing: standing({ pending: 1 }) })).toEqual([])
  })
})

describe('hints', () => {
  test('cause a pull when they name a later position', () => {
    expect(idle(3).give({ type: 'hint', position: 4, epoch: EPOCH, erasures: 0 })).toEqual([
      { ...PULL, after: 3 },
    ])
  })

  test('of a position that is reached cause nothing', () => {
    const sync = idle(3)
    expect(sync.give({ type: 'hint', position: 3, epoch: EPOCH, erasures: 0 })).toEqual([])
    expect(sync.give({ type: 'hint', position: 1, epoch: EPOCH, erasures: 0 })).toEqual([])
  })

  test('of another epoch cause a pull, since positions of two epochs cannot be compared', () => {
    expect(idle(3).give({ type: 'hint', position: 1, epoch: 'e2', erasures: 0 })).toEqual([
      { ...PULL, after: 3 },
    ])
  })

  test('that come during a pull cause another one only when it did not reach them', () => {
    const sync = started()
    sync.give({ type: 'hint', position: 5, epoch: EPOCH, erasures: 0 })
    sync.give({ type: 'pullDone', standing: standing({ position: 4 }), head: 4, maxPushBytes: null })
    expect(sync.types()).toContain('pull')
    sync.give({ type: 'hint', position: 5, epoch: EPOCH, erasures: 0 })
    sync.give({ type: 'pullDone', standing: standing({ position: 5 }), head: 5, maxPushBytes: null })
    expect(sync.types()).not.toContain('pull')
  })

  test('that come all the time do not keep this replica from pushing', () => {
    const sync = started({ pending: 1 })
    sync.give({ type: 'hint', position: 8, epoch: EPOCH, erasures: 0 })
    sync.give({
      type: 'pullDone',
      standing: standing({ position: 5, pending: 1 }),
      head: 5,
      maxPushBytes: null,
    })
    expect(sync.types()).toContain('push')
    expect(sync.give(answered({}, { position: 5 }))).toEqual([{ ...PULL, after: 5 }])
  })

  test('that lie cost one pull each', () => {
    const sync = idle()
    sync.give({ type: 'hint', position: 1e9, epoch: EPOCH, erasures: 0 })
    sync.give({ type: 'pullDone', standing: standing(), head: 0, maxPushBytes: null })
    expect(sync.status().phase).toBe('idle')
  })

  test('come before a push that lingers', () => {
    const sync = idle()
    sync.give({ type: 'logChanged', standing: standing({ pending: 1 }) })
    sync.give({ type: 'hint', position: 1, epoch: EPOCH, erasures: 0 })
    expect(sync.types()).toEqual(['cancelTimer', 'pull'])
  })

  test('do not cut a wait short', () => {
    const sync = idle()
    sync.give({ type: 'hint', position: 1, epoch: EPOCH, erasures: 0 })
    sync.give({ type: 'pullFailed', failure: refused(503) })
    expect(sync.give({ type: 'hint', position: 2, epoch: EPOCH, erasures: 0 })).toEqual([])
  })

  test('are made up for by polling while their stream is closed', () => {
    const sync = idle()
    expect(sync.give({ type: 'hintsClosed' }, { chance: 0 })).toEqual([
      { type: 'schedule', delayMs: POLL_MS },
    ])
    expect(sync.give({ type: 'timer' })).toEqual([PULL])
  })
})

describe('hints that the server ends', () => {
  test('are followed by a pull, which finds out what is left of the token', () => {
    const sync = idle()
    expect(sync.give({ type: 'hintsRefused' })).toEqual([PULL])
    sync.give({ type: 'hintsClosed' })
    sync.give({ type: 'pullFailed', failure: refused(401) })
    expect(sync.give({ type: 'hintsRefused' })).toEqual([])
  })
})

describe('refusals of a push', () => {
  test('stale: pulls, then pushes what the pull made of it', () => {
    const sync = pushing()
    const stale = answered({ accepted: 0, head: 2, refusal: { reason: 'stale', detail: 'version 1' } })
    expect(sync.give(stale)).toEqual([PULL])
    sync.give({
      type: 'pullDone',
      standing: standing({ position: 2, pending: 1 }),
      head: 2,
      maxPushBytes: null,
    })
    expect(sync.types()).toEqual(['push'])
  })

  test('stale without anything newer: waits, longer each time, and says why', () => {
    const sync = pushing()
    const stale = answered({ accepted: 0, refusal: { reason: 'stale', detail: 'version 1' } })
    const waits = [1, 2, 3].map(() => {
      sync.give(stale)
      const [wait] = sync.give(
        { type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null },
        { chance: 0.5 },
      )
      expect(sync.status()).toMatchObject({ phase: 'waiting', error: { code: 'sync-protocol' } })
      sync.give({ type: 'timer' })
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
      return wait
    })
    expect(waits).toEqual([250, 500, 1000].map(delayMs => ({ type: 'schedule', delayMs })))
  })

  test('accepted, but never seen in the log: waits instead of spinning', () => {
    const sync = pushing()
    sync.give(answered())
    sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
    expect(sync.status()).toMatchObject({ phase: 'waiting', pending: 1, error: { code: 'sync-protocol' } })
  })

  test('accepted, but never seen in the log, which a pull told offline: waits all the same', () => {
    for (const isBackFirst of [false, true]) {
      const sync = pushing()
      sync.give(answered())
      sync.give({ type: 'offline' })
      if (isBackFirst) sync.give({ type: 'online' })
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
      if (!isBackFirst) sync.give({ type: 'online' })
      expect(sync.types()).toEqual(['pull'])
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
      expect(sync.status()).toMatchObject({ phase: 'waiting', error: { code: 'sync-protocol' } })
    }
  })

  test('accepted, not yet in the page, but hinted at: pulls again instead of waiting', () => {
    const sync = pushing()
    sync.give(answered())
    sync.give({ type: 'hint', position: 1, epoch: EPOCH, erasures: 0 })
    expect(
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null }),
    ).toEqual([PULL])
  })

  test('accepted and confirmed by the receipt while more came: the rest is pushed without a wait', () => {
    const sync = pushing()
    const placed = standing({ position: 1, pending: 2 })
    sync.give({ type: 'logChanged', standing: placed })
    sync.give(answered({ after: 0 }, placed))
    sync.give({ type: 'pullDone', standing: placed, head: 1, maxPushBytes: null })
    expect(sync.types()).toContain('push')
  })

  test.each(['invalid', 'forbidden'] as const)(
    '%s: sets the commit aside with the reason, and goes on with what is behind it',
    reason => {
      const sync = pushing()
      const commit = {
        hash: FIRST,
        refusal: reason,
        message: 'The server refused a commit: event 1',
      }
      expect(sync.give(answered({ accepted: 0, refusal: { reason, detail: 'event 1' } }))).toEqual([
        { type: 'setAside', commit },
      ])
      expect(sync.give({ type: 'setAsideDone', standing: standing({ pending: 2, rejected: 1 }) })).toEqual([
        PULL,
      ])
      sync.give({
        type: 'pullDone',
        standing: standing({ pending: 2, rejected: 1 }),
        head: 0,
        maxPushBytes: null,
      })
      expect(sync.types()).toEqual(['push'])
      expect(sync.status()).toMatchObject({ phase: 'pushing', rejected: 1, error: null })
    },
  )

  test('id-reused: looks first whether it is there already, and sets it aside when it is refused again', () => {
    const sync = pushing()
    const refusal = { reason: 'id-reused', detail: 'event 1' } as const
    expect(sync.give(answered({ accepted: 0, refusal }))).toEqual([PULL])
    sync.give({
      type: 'pullDone',
      standing: standing({ position: 2, pending: 1 }),
      head: 2,
      maxPushBytes: null,
    })
    expect(sync.types()).toEqual(['push'])
    sync.give(answered({ accepted: 0, refusal }, { position: 2 }))
    expect(sync.effects()).toMatchObject([
      { type: 'setAside', commit: { hash: FIRST, refusal: 'id-reused' } },
    ])
  })

  test('a commit that cannot be set aside now is tried again after a wait', () => {
    const sync = pushing()
    sync.give(answered({ accepted: 0, refusal: { reason: 'invalid', detail: '' } }))
    const error = plainError('storage-failed', 'The disk is full')
    sync.give({ type: 'setAsideFailed', failure: { type: 'local', error } })
    expect(sync.status()).toMatchObject({ phase: 'waiting', pending: 1, error: { code: 'storage-failed' } })
    expect(sync.give({ type: 'timer' })).toMatchObject([{ type: 'setAside' }])
  })

  test('413 of the server itself: halves the push down to one commit, and sets that one aside', () => {
    const sync = pushing()
    const sent = { ...SENT, commits: 1, bytes: 900 }
    sync.give({ type: 'pushFailed', failure: refused(413, 'too-large'), sent })
    expect(sync.effects()).toMatchObject([
      { type: 'setAside', commit: { hash: FIRST, refusal: 'too-large' } },
    ])
  })

  test('413 of something in between: halves the push down to one commit, then stops', () => {
    const sync = pushing()
    const budgets = [SENT, { ...SENT, commits: 2, bytes: 2_000 }].map(sent => {
      expect(sync.give({ type: 'pushFailed', failure: refused(413), sent })).toEqual([PULL])
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
      return sync.state().pushBytes
    })
    expect(budgets).toEqual([2_000, 1_000])
    sync.give({ type: 'pushFailed', failure: refused(413), sent: { ...SENT, commits: 1, bytes: 900 } })
    expect(sync.status()).toMatchObject({
      phase: 'stopped',
      error: { code: 'sync-refused', facts: { bytes: 900 } },
    })
    sync.give({ type: 'poked' })
    expect(sync.state().pushBytes).toBe(PUSH_BYTES)
  })

  test('out of time: a pull comes first, and the next push is smaller until one succeeds', () => {
    const sync = pushing()
    const failure: SyncFailure = { ...UNREACHABLE, timedOut: true }
    const budgets = Array.from({ length: 8 }, () => {
      sync.give({ type: 'pushFailed', failure, sent: { ...SENT, bytes: sync.state().pushBytes } })
      expect(sync.status()).toMatchObject({ phase: 'waiting', error: { code: 'sync-unreachable' } })
      expect(sync.give({ type: 'timer' })).toEqual([PULL])
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
      return sync.state().pushBytes / 1024
    })
    expect(budgets).toEqual([512, 256, 128, 64, 32, 16, 16, 16])
    sync.give(answered())
    expect(sync.state().pushBytes).toBe(32 * 1024)
  })

  test('what was once too large for the server is not tried again', () => {
    const sync = pushing()
    sync.give({ type: 'pushFailed', failure: refused(413), sent: { ...SENT, bytes: 600_000 } })
    for (let position = 0; position < 3; position++) {
      sync.give({
        type: 'pullDone',
        standing: standing({ position, pending: 1 }),
        head: position,
        maxPushBytes: null,
      })
      sync.give(answered())
      expect(sync.state().pushBytes).toBe(300_000)
    }
  })
})

describe('a server with another log than before', () => {
  const changed: SyncFailure = { type: 'epoch-changed', expected: EPOCH, actual: 'e2' }
  const inE2 = (facts: Partial<Standing> = {}): Standing => standing({ epoch: 'e2', ...facts })

  test.each<[string, () => ReturnType<typeof machine>, SyncInput]>([
    ['a page', () => started({ position: 4 }), { type: 'pullFailed', failure: changed }],
    ['an answer to a push', () => pushing(), { type: 'pushFailed', failure: changed, sent: SENT }],
    ['a receipt', () => pushing(), answered({ epoch: 'e2' })],
    [
      'a page that does not go on from what was there',
      () => started({ position: 4 }),
      { type: 'pullFailed', failure: { type: 'log-changed', message: '', facts: {} } },
    ],
  ])('%s shows it: finds out what of it is the same before anything else', (_name, begin, input) => {
    const sync = begin()
    expect(sync.give(input)).toEqual([{ type: 'rejoin' }])
    expect(sync.status()).toMatchObject({ phase: 'pulling', error: { code: 'sync-protocol' } })
    sync.give({ type: 'hint', position: 9, epoch: 'e2', erasures: 0 })
    sync.give({ type: 'logChanged', standing: standing({ pending: 1 }) })
    expect(sync.types()).toEqual([])
    expect(sync.give({ type: 'rejoinDone', standing: inE2({ position: 2, pending: 3 }) })).toEqual([
      { type: 'pull', after: 2, epoch: 'e2' },
    ])
    sync.give({ type: 'pullDone', standing: inE2({ position: 2, pending: 3 }), head: 2, maxPushBytes: null })
    expect(sync.types()).toContain('push')
    expect(sync.status()).toMatchObject({ pending: 3, serverPosition: 2, error: null })
  })

  test('a server that cannot be reached meanwhile is asked again after a wait, and for nothing else', () => {
    const sync = started({ position: 4 })
    sync.give({ type: 'pullFailed', failure: changed })
    sync.give({ type: 'rejoinFailed', failure: UNREACHABLE })
    expect(sync.status().phase).toBe('waiting')
    expect(sync.give({ type: 'timer' })).toEqual([{ type: 'rejoin' }])
  })

  test('two that take turns are asked after waits that grow', () => {
    const sync = started({ position: 4 })
    sync.give({ type: 'pullFailed', failure: changed })
    const waits = [1, 2, 3].map(() => {
      sync.give({ type: 'rejoinDone', standing: inE2({ pending: 1 }) })
      sync.give({ type: 'pullFailed', failure: { type: 'epoch-changed', expected: 'e2', actual: EPOCH } })
      expect(sync.status().phase).toBe('waiting')
      const [wait] = sync.effects()
      expect(sync.give({ type: 'timer' })).toEqual([{ type: 'rejoin' }])
      return wait?.type === 'schedule' ? wait.delayMs : 0
    })
    expect(waits[1]).toBeGreaterThan(waits[0]!)
    expect(waits[2]).toBeGreaterThan(waits[1]!)
  })

  test('one of an old release, which cannot say how its log begins: stops', () => {
    const sync = started({ position: 4 })
    sync.give({ type: 'pullFailed', failure: changed })
    sync.give({ type: 'rejoinFailed', failure: refused(404, 'not-found') })
    expect(sync.status()).toMatchObject({ phase: 'stopped', error: { code: 'sync-protocol' } })
  })

  describe('that another tab went back to', () => {
    test('is pulled before anything is pushed to it', () => {
      const sync = idle(3)
      sync.give({ type: 'logChanged', standing: standing({ epoch: 'e2', position: 1, pending: 2 }) })
      expect(sync.effects()).toContainEqual({ ...PULL, after: 1, epoch: 'e2' })
      sync.give({
        type: 'pullDone',
        standing: standing({ epoch: 'e2', position: 1, pending: 2 }),
        head: 1,
        maxPushBytes: null,
      })
      expect(sync.types()).toContain('push')
    })

    test.each(['pull', 'push'] as const)('in the middle of a %s is pulled again', kind => {
      const sync = kind === 'pull' ? started() : idle(3)
      if (kind === 'push') {
        sync.give({ type: 'logChanged', standing: standing({ position: 3, pending: 1 }) })
        sync.give({ type: 'timer' })
      }
      expect(sync.types()).toContain(kind)
      const moved = standing({ epoch: 'e2', position: 1, pending: 2 })
      expect(sync.give({ type: 'logChanged', standing: moved })).toEqual([])
      sync.give(
        kind === 'pull'
          ? { type: 'pullDone', standing: moved, head: 1, maxPushBytes: null }
          : { type: 'pushEmpty', standing: moved },
      )
      expect(sync.types()).toContain('pull')
    })
  })
})

describe('other streams than before', () => {
  const other = (facts: Partial<Standing> = {}) => standing({ position: 3, isOtherPart: true, ...facts })
  const pulled = (facts: Partial<Standing> = {}): SyncInput => ({
    type: 'pullDone',
    standing: other(facts),
    head: 3,
    maxPushBytes: null,
  })
  const forbidden = { type: 'pullFailed', failure: refused(403, 'forbidden') } as const

  test('are turned to when all was pulled, and pulled from the beginning', () => {
    const sync = started({ position: 3, isOtherPart: true })
    expect(sync.give(pulled())).toContainEqual({ type: 'resubscribe' })
    sync.give({ type: 'resubscribeDone', standing: standing() })
    expect(sync.effects()).toContainEqual({ ...PULL, after: 0 })
  })

  test('are not turned to while anything is pending, nor an erasure untold', () => {
    const sync = started({ position: 3, isOtherPart: true, pending: 1 })
    sync.give(pulled({ pending: 1 }))
    expect(sync.types()).toContain('push')
    const erasing = started({ position: 3, isOtherPart: true })
    erasing.give(pulled({ erasures: { taken: 0, unsent: 1 } }))
    expect(erasing.types()).toContain('erase')
  })

  test('are not turned to while nobody answers', () => {
    const sync = started({ position: 3, isOtherPart: true })
    sync.give({ type: 'pullFailed', failure: UNREACHABLE })
    expect(sync.types()).not.toContain('resubscribe')
  })

  test('are turned to where those before may not be read any more', () => {
    const sync = started({ position: 3, isOtherPart: true })
    expect(sync.give(forbidden)).toContainEqual({ type: 'resubscribe' })
  })

  test('that may not be read either halt', () => {
    const sync = started({ position: 3 })
    sync.give(forbidden)
    expect(sync.status()).toMatchObject({ phase: 'stopped', error: { code: 'sync-refused' } })
  })

  test('are tried for again where something was appended meanwhile, or the disk was full', () => {
    const sync = started({ position: 3, isOtherPart: true })
    sync.give(pulled())
    expect(sync.give({ type: 'resubscribeDone', standing: other({ pending: 1 }) })).toContainEqual({
      ...PULL,
      after: 3,
    })
    const failing = started({ position: 3, isOtherPart: true })
    failing.give(pulled())
    failing.give({
      type: 'resubscribeFailed',
      failure: { type: 'local', error: plainError('storage-failed', 'full') },
    })
    expect(failing.status()).toMatchObject({ phase: 'waiting' })
  })
})

describe('failures', () => {
  const stops: [string, SyncFailure, string][] = [
    ['401', refused(401), 'sync-refused'],
    ['403', refused(403), 'sync-refused'],
    ['no token', { type: 'no-token' }, 'sync-refused'],
    [
      'a page that does not fit',
      { type: 'local', error: plainError('sync-protocol', 'no', { after: 3 }) },
      'sync-protocol',
    ],
    ['a closed log', { type: 'local', error: plainError('store-closed', 'closed') }, 'store-closed'],
  ]
  test.each(stops)('%s: stops until poked, and asks nothing meanwhile', (_name, failure, code) => {
    const sync = started({ pending: 2 })
    sync.give({ type: 'pullFailed', failure })
    expect(sync.status()).toMatchObject({ phase: 'stopped', pending: 2, error: { code } })
    for (const input of [
      { type: 'timer' },
      { type: 'hint', position: 9, epoch: EPOCH, erasures: 0 },
    ] as const) {
      expect(sync.give(input)).toEqual([])
    }
    expect(sync.give({ type: 'logChanged', standing: standing({ pending: 3 }) })).toEqual([])
    expect(sync.give({ type: 'poked' })).toEqual([PULL])
    sync.give({ type: 'pullDone', standing: standing(), head: 0, maxPushBytes: null })
    expect(sync.status().error).toBeNull()
  })

  const waits: [string, SyncFailure, string][] = [
    ['no network', UNREACHABLE, 'sync-unreachable'],
    ['500', refused(500), 'sync-unreachable'],
    ['503', refused(503), 'sync-unreachable'],
    ['429', refused(429), 'sync-unreachable'],
    ['404', refused(404), 'sync-refused'],
    ['rubbish', { type: 'rubbish', message: 'no page' }, 'sync-protocol'],
    ['a full disk', { type: 'local', error: plainError('storage-failed', 'full') }, 'storage-failed'],
  ]
  test.each(waits)('%s: waits with the error shown, then tries again', (_name, failure, code) => {
    const sync = started({ pending: 2 })
    expect(sync.give({ type: 'pullFailed', failure })).toEqual([{ type: 'schedule', delayMs: 250 }])
    expect(sync.status()).toMatchObject({ phase: 'waiting', pending: 2, retryAt: 1_250, error: { code } })
    expect(sync.give({ type: 'timer' })).toEqual([PULL])
    expect(sync.status().error?.code).toBe(code)
    sync.give({ type: 'pullDone', standing: standing(), head: 0, maxPushBytes: null })
    expect(sync.status()).toMatchObject({ phase: 'idle', error: null })
  })

  test('waits between nothing and a bound that doubles up to a minute', () => {
    const sync = started()
    const delays = Array.from({ length: 10 }, () => {
      sync.give({ type: 'pullFailed', failure: UNREACHABLE }, { chance: 1 - Number.EPSILON })
      const delay = sync.status().retryAt! - 1_000
      sync.give({ type: 'timer' })
      return delay
    })
    expect(delays).toEqual([500, 1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000])
    sync.give({ type: 'pullFailed', failure: UNREACHABLE }, { chance: 0 })
    expect(sync.status().retryAt).toBe(1_000)
  })

  test('begins anew after a success', () => {
    const sync = started()
    for (let i = 0; i < 5; i++) {
      sync.give({ type: 'pullFailed', failure: UNREACHABLE })
      sync.give({ type: 'timer' })
    }
    sync.give({ type: 'pullDone', standing: standing({ position: 1 }), head: 9, maxPushBytes: null })
    sync.give({ type: 'pullFailed', failure: UNREACHABLE })
    expect(sync.status().retryAt).toBe(1_250)
  })

  test('a pull that succeeds does not shorten the wait for pushes that fail', () => {
    const sync = pushing()
    const delays = [1, 2, 3].map(() => {
      const [wait] = sync.give({ type: 'pushFailed', failure: refused(500), sent: SENT })
      sync.give({ type: 'timer' })
      sync.give({ type: 'pullDone', standing: standing({ pending: 1 }), head: 0, maxPushBytes: null })
      expect(sync.status().error?.code).toBe('sync-unreachable')
      return wait
    })
    expect(delays).toEqual([250, 500, 1000].map(delayMs => ({ type: 'schedule', delayMs })))
  })

  test('a push that got through forgives those that failed before it', () => {
    const sync = pushing({ pending: 2 })
    const push = () => {
      sync.give({ type: 'timer' })
      sync.give({
        type: 'pullDone',
        standing: sync.state().standing,
        head: sync.state().standing.position,
        maxPushBytes: null,
      })
    }
    for (let i = 0; i < 3; i++) {
      sync.give({ type: 'pushFailed', failure: refused(500), sent: SENT })
      push()
    }
    sync.give(answered())
    sync.give({
      type: 'pullDone',
      standing: standing({ position: 1, pending: 1 }),
      head: 1,
      maxPushBytes: null,
    })
    expect(sync.status()).toMatchObject({ phase: 'pushing', error: null })
    sync.give({ type: 'pushFailed', failure: refused(500), sent: SENT })
    expect(sync.status().retryAt).toBe(1_250)
  })

  test('a push whose answer was lost is forgiven when the pull brings its events', () => {
    const sync = pushing()
    sync.give({ type: 'pushFailed', failure: UNREACHABLE, sent: SENT })
    sync.give({ type: 'timer' })
    sync.give({ type: 'pullDone', standing: standing({ position: 1 }), head: 1, maxPushBytes: null })
    expect(sync.status()).toMatchObject({ phase: 'idle', pending: 0, error: null })

    sync.give({ type: 'logChanged', standing: standing({ position: 1, pending: 1 }) })
    sync.give({ type: 'timer' })
    sync.give({ type: 'pushFailed', failure: UNREACHABLE, sent: SENT })
    expect(sync.status().retryAt).toBe(1_250)
  })

  test('waits at least as long as the server asks', () => {
    const sync = started()
    sync.give({ type: 'pullFailed', failure: refused(503, 'busy', 20_000) }, { chance: 0 })
    expect(sync.status().retryAt).toBe(21_000)
  })

  test('poking cuts a wait short', () => {
    const sync = started()
    sync.give({ type: 'pullFailed', failure: UNREACHABLE })
    expect(sync.give({ type: 'poked' })).toEqual([{ type: 'cancelTimer' }, PULL])
  })
})

describe('offline', () => {
  test('requests nothing, whatever comes, until it is online', () => {
    const sync = machine()
    sync.give({ type: 'offline' })
    expect(sync.give({ type: 'started', standing: standing({ pending: 1 }) })).toEqual([])
    for (const input of [
      { type: 'poked' },
      { type: 'timer' },
      { type: 'hint', position: 4, epoch: EPOCH, erasures: 0 },
      { type: 'logChanged', standing: standing({ pending: 2 }) },
    ] as const) {
      expect(sync.give(input)).toEqual([])
    }
    expect(sync.status()).toMatchObject({ phase: 'offline', pending: 2 })
    expect(sync.give({ type: 'online' })).toEqual([PULL])
  })

  test('aborts the request that is under way, which is no failure', () => {
    const sync = started()
    expect(sync.give({ type: 'offline' })).toEqual([{ type: 'abortRequest' }])
    expect(sync.give({ type: 'online' })).toEqual([])
    expect(sync.give({ type: 'pullFailed', failure: UNREACHABLE })).toEqual([PULL])
    expect(sync.status().error).toBeNull()
  })

  test('closes the hints and the wait, and opens hints again when it has caught up', () => {
    const sync = idle()
    expect(sync.give({ type: 'offline' })).toEqual([{ type: 'closeHints' }])
    sync.give({ type: 'online' })
    sync.give({ type: 'pullDone', standing: standing(), head: 0, maxPushBytes: null })
    expect(sync.types()).toContain('openHints')
  })

  test('being online again cuts a wait short', () => {
    const sync = started()
    sync.give({ type: 'pullFailed', failure: UNREACHABLE })
    expect(sync.give({ type: 'offline' })).toEqual([{ type: 'cancelTimer' }])
    expect(sync.give({ type: 'online' })).toEqual([PULL])
  })

  test('being told of the network twice changes nothing', () => {
    expect(idle().give({ type: 'online' })).toEqual([])
  })
})

describe('the end', () => {
  test('stops everything, and nothing starts it again', () => {
    const sync = idle()
    expect(sync.give({ type: 'stopped' })).toEqual([{ type: 'closeHints' }])
    for (const input of [
      { type: 'poked' },
      { type: 'online' },
      { type: 'started', standing: standing() },
    ] as const) {
      expect(sync.give(input)).toEqual([])
    }
    expect(sync.status().phase).toBe('off')
  })

  test('aborts the request that is under way', () => {
    expect(started().give({ type: 'stopped' })).toEqual([{ type: 'abortRequest' }])
  })
})
