// Says once that handlers are known by their text alone.

import type { App } from '../src/model/app.ts'

/** Names of deciders and projections that the build plugin did not hash. */
export function weaklyKnown({ deciders = {}, projections = {} }: App): string[] {
  return Object.entries({ ...deciders, ...projections })
    .filter(([, { handlerCode }]) => !handlerCode)
    .map(([name]) => name)
}

export function sayWeaklyKnown(app: App): void {
  const names = weaklyKnown(app)
  if (names.length === 0) return
  console.info(
    `StreamDingo: the handlers of ${names.join(', ')} are known by their text and version alone. A changed helper is ` +
      'not seen: raise the version, or use the build plugin (streamdingo/vite).',
  )
}
