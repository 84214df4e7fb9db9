// What a specification throws. Test runners show `expected` and `actual` side by side.

import canonicalize from 'canonicalize'

export class SpecificationFailed extends Error {
  override readonly name = 'SpecificationFailed'
  readonly expected: unknown
  readonly actual: unknown

  constructor(message: string, expected: unknown, actual: unknown) {
    super(`${message}\n\nexpected: ${shown(expected)}\nactual: ${shown(actual)}`)
    this.expected = expected
    this.actual = actual
  }
}

const shown = (value: unknown): string =>
  value instanceof Error ? String(value) : (JSON.stringify(value, null, 2) ?? String(value))

/** The same as JSON, whatever the order of keys. @throws `SpecificationFailed`. */
export function mustEqual(message: string, actual: unknown, expected: unknown): void {
  if (canonicalize(actual) !== canonicalize(expected))
    throw new SpecificationFailed(message, expected, actual)
}
