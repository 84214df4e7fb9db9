// Streams by name: a pattern is a whole name, or the beginning of names with a `*` at its end.

/** `cart-*` are all streams that begin with `cart-`, `*` all there are, `settings` is one. */
export type StreamPattern = string

/** @throws `TypeError` for what is no pattern: a `*` that stands elsewhere than at the end */
export function streamMatcher(patterns: readonly StreamPattern[]): (streamName: string) => boolean {
  const [names, prefixes] = [new Set<string>(), [] as string[]]
  for (const pattern of patterns) {
    const star = pattern.indexOf('*')
    if (star !== -1 && star < pattern.length - 1) {
      throw new TypeError(`"${pattern}" is no pattern of streams: a * stands at the end`)
    }
    if (star === -1) names.add(pattern)
    else prefixes.push(pattern.slice(0, star))
  }
  return name => names.has(name) || prefixes.some(prefix => name.startsWith(prefix))
}

/** Whether all that these patterns match is matched by one of those. */
export function isWithin(patterns: readonly StreamPattern[], allowed: readonly StreamPattern[]): boolean {
  const matches = streamMatcher(allowed)
  const prefixes = allowed.filter(isPrefix).map(beginning)
  return patterns.every(pattern =>
    isPrefix(pattern) ? prefixes.some(prefix => beginning(pattern).startsWith(prefix)) : matches(pattern),
  )
}

/** A choice of streams; all where it is undefined. */
export type StreamChoice = readonly StreamPattern[] | undefined

/** Patterns in another order are another choice: see to it that there is one order. */
export const isSameChoice = (one: StreamChoice, other: StreamChoice): boolean =>
  JSON.stringify(one) === JSON.stringify(other)

const isPrefix = (pattern: StreamPattern): boolean => pattern.endsWith('*')
const beginning = (pattern: StreamPattern): string => pattern.slice(0, -1)
