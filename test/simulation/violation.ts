/** Something that must hold did not. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export function holds(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Violation(message())
}
