// Tabs tell each other that the log has grown, and read on when they hear of it.

import type { EventLog } from '../src/engine/event-log.ts'
import type { GlobalPosition } from '../src/log/event.ts'
import { createLatestSender } from './latest-sender.ts'
import type { TabChannel } from './tab-channel.ts'

type GrowingLog = Pick<EventLog, 'head' | 'catchUp' | 'onChange'>

export type GrowthHintsOptions = Readonly<{
  log: GrowingLog
  channel: TabChannel
  signal: AbortSignal
  onError: (error: Error) => void
}>

/** Returns the way to tell at once, for one who is about to leave. */
export function shareGrowth({ log, channel, signal, onError }: GrowthHintsOptions): () => void {
  /** What all tabs have been told of, by this one or another: to tell it again would be an echo. */
  let told: GlobalPosition = 0

  const tellNow = () => {
    if (log.head() <= told) return
    told = log.head()
    channel.post({ type: 'grew', head: told })
  }
  const tell = createLatestSender(() => nextTask().then(tellNow), signal)
  const catchUp = createLatestSender(async () => {
    if (log.head() < told) await log.catchUp().catch(onError)
    // Who said more than there is must not keep this tab from telling of what comes.
    told = Math.min(told, log.head())
  }, signal)

  log.onChange(({ head }) => {
    if (head > told) tell()
  }, signal)
  channel.on('grew', ({ head }) => {
    if (!(head > told)) return
    told = head
    catchUp()
  })
  return tellNow
}

/** Many small commits in a row are one hint. */
function nextTask(): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, 0))
}
