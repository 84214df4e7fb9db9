// The file of a whole log, as a stream: fetched from the worker part by part, as whoever reads it comes along.

import type { ExportOptions } from '../model/event-store.ts'
import { callSafely } from './readable.ts'
import type { WorkerLink } from './worker-link.ts'

export function exportStream(
  link: WorkerLink,
  { onProgress }: ExportOptions,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let size: number | null = null
  let exported = 0
  return new ReadableStream(
    {
      async pull(controller) {
        if (size === null) {
          const start = await link.call(worker => worker.exportStart())
          size = start.size
          controller.enqueue(start.bytes)
          return
        }
        const [after, total] = [exported, size]
        const { bytes, through } = await link.call(worker => worker.exportPart(after, total))
        exported = through
        controller.enqueue(bytes)
        if (exported === total) controller.close()
        callSafely(() => onProgress?.({ exported, total }))
      },
    },
    // Nothing is fetched before it is wanted.
    { highWaterMark: 0 },
  )
}
