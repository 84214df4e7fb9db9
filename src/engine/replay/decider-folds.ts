// Folds of the app's deciders for the write door.

import type { StreamVersion } from '../../log/event.ts'
import type { AnyDecider } from '../../model/app.ts'
import type { ReplayExplanation, ReplayReport } from '../../model/replay-report.ts'
import type { SnapshotCodec } from '../../model/snapshot-codec.ts'
import type { DeciderFolds } from '../command-plan.ts'
import type { FoldLog } from './fold.ts'
import { NO_SKIPS } from './skipped-events.ts'
import { type SnapshotDrop, SnapshotStore } from './snapshot-store.ts'
import { StreamFold } from './stream-fold.ts'

/**
 * `close` writes the snapshots that wait to be written. Without it the next start folds a little more. `forget` has all
 * that was folded folded again.
 */
export function createDeciderFolds(options: {
  log: FoldLog
  deciders: Readonly<Record<string, AnyDecider>>
  onSnapshotDropped?: (drop: SnapshotDrop) => void
  onReplayed?: ((report: ReplayReport) => void) | undefined
  snapshotCodec?: SnapshotCodec | undefined
}): DeciderFolds & {
  /** What a fold of one of the app's deciders would do that has nothing in memory. */
  explain: (decider: string, streamName: string) => Promise<ReplayExplanation>
  forget: () => void
  close: () => Promise<void>
} {
  const { log, deciders, onSnapshotDropped, onReplayed, snapshotCodec: codec } = options
  const snapshots = new SnapshotStore({ log, onSnapshotDropped, codec })
  const folds = new Map(
    Object.entries(deciders).map(([name, definition]) => [
      name,
      new StreamFold({ log, kind: 'decider', name, definition, snapshots, skips: NO_SKIPS, onReplayed }),
    ]),
  )
  return {
    stateAt: (decider: string, streamName: string, version: StreamVersion) =>
      folds.get(decider)!.stateAt(streamName, version),
    explain: (decider, streamName) => folds.get(decider)!.explain(streamName),
    forget() {
      snapshots.forget()
      for (const fold of folds.values()) fold.forget()
    },
    close: () => snapshots.flush(),
  }
}
