// A batch of events as the appends of one commit: one for each run of events of the same stream.

import type { BenchEvent } from './subject.ts'
import type { CartEvent } from './subjects/streamdingo/app.ts'

export type StreamRun = Readonly<{ streamName: string; events: (CartEvent & Readonly<{ id: string }>)[] }>

export function streamRuns(batch: readonly BenchEvent[]): StreamRun[] {
  const runs: StreamRun[] = []
  for (const { id, stream, type, data } of batch) {
    const last = runs.at(-1)
    const run = last?.streamName === stream ? last : { streamName: stream, events: [] }
    if (run !== last) runs.push(run)
    run.events.push({ id, type, data })
  }
  return runs
}
