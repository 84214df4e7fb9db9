// Which streams of the store this replica holds. Of the others it does not know whether there are any, nor where they end.

import { StoreError } from '../log/errors.ts'
import { type StreamPattern, streamMatcher } from '../log/stream-pattern.ts'

export class HeldStreams {
  readonly #patterns: readonly StreamPattern[] | undefined
  readonly #matches: (streamName: string) => boolean

  /**
   * @param patterns left out: all streams
   * @throws `StoreError` `invalid-argument` for what is no pattern, or none
   */
  constructor(patterns?: readonly StreamPattern[]) {
    this.#patterns = patterns
    this.#matches = patterns ? matcherOf(patterns) : () => true
  }

  /** @throws `StoreError` `not-subscribed` */
  mustHold(streamName: string): void {
    if (this.#matches(streamName)) return
    const facts = { streamName, streams: this.#patterns }
    throw new StoreError('not-subscribed', `This replica does not hold stream "${streamName}"`, facts)
  }
}

function matcherOf(patterns: readonly StreamPattern[]): (streamName: string) => boolean {
  if (patterns.length === 0) throw new StoreError('invalid-argument', 'A choice of streams must name some')
  try {
    return streamMatcher(patterns)
  } catch (error) {
    throw new StoreError('invalid-argument', (error as TypeError).message, { streams: patterns })
  }
}
