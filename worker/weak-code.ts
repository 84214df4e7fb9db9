// Says once that handlers are known by their text alone.

import type { App } from '../src/model/app.ts'

/** Names of deciders, projections and upcasters that the build plugin did not hash. */
function weaklyKnown({ deciders = {}, projections = {}, upcasters = [] }: App): string[] {
  const named = [...Object.entries(deciders), ...Object.entries(projections)]
  const upcasting = upcasters.map(upcaster => [`the upcaster of ${upcaster.type}`, upcaster] as const)
  return [...named, ...upcasting].filter(([, { handlerCode }]) => !handlerCode).map(([name]) => name)
}

export function sayWeaklyKnown(app: App): void {
  const names = weaklyKnown(app)
  if (names.length === 0) return
  console.info(
    `StreamDingo: the handlers of ${names.join(', ')} are known by their text and version alone. A changed helper is ` +
      'not seen: raise the version, or use the build plugin (streamdingo/vite).',
  )
}
