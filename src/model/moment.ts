// A point in the past of a document.

import type { GlobalPosition } from '../log/event.ts'

export type Moment =
  /** Behind so many events: of a document of one stream, its stream version; else events folded into the document. */
  | Readonly<{ version: number }>
  /** Behind the event at this position of the log. */
  | Readonly<{ position: GlobalPosition }>
  /**
   * Behind the last event that was recorded at or before this time, in milliseconds since the Unix epoch. By the clocks
   * of the devices that recorded them, in the order of the log.
   */
  | Readonly<{ time: number }>
