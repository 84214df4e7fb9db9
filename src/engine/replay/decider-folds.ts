// Folds of the app's deciders for the write door.

import type { StreamVersion } from '../../log/event.ts'
import type { AnyDecider } from '../../model/app.ts'
import { evolveState } from '../../model/evolve.ts'
import type { DeciderFolds } from '../command-plan.ts'
import type { EventLog } from '../event-log.ts'

export function createDeciderFolds(options: {
  log: Pick<EventLog, 'readStream'>
  deciders: Readonly<Record<string, AnyDecider>>
}): DeciderFolds {
  return {
    async stateAt(decider: string, streamName: string, version: StreamVersion) {
      const { evolve, initialState } = options.deciders[decider]!
      let state: unknown = initialState()
      if (version === 0) return state
      for await (const events of options.log.readStream(streamName, { to: version })) {
        for (const event of events) state = evolveState(evolve, state, event)
      }
      return state
    },
  }
}
