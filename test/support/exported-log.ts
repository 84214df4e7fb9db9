// The file of a whole log, as the page puts it together.

import { exportStart } from '../../src/engine/backup/export-log.ts'
import type { EventLog } from '../../src/engine/event-log.ts'

/** @param between done between any two parts */
export async function exportedParts(
  log: EventLog,
  between = async () => {},
): Promise<Uint8Array<ArrayBuffer>[]> {
  const { bytes, size } = await exportStart(log)
  const parts = [bytes]
  for (let after = 0; ; ) {
    const part = await log.exportPart(after, size)
    parts.push(part.bytes)
    after = part.through
    if (after === size) return parts
    await between()
  }
}

export async function exported(...args: Parameters<typeof exportedParts>): Promise<Buffer<ArrayBuffer>> {
  return Buffer.concat(await exportedParts(...args))
}
