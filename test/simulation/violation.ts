/** Something that must hold did not. */
export class Violation extends Error {
  override readonly name = 'Violation'
}

export function holds(condition: boolean, message: () => string): asserts condition {
  if (!condition) throw new Violation(message())
}

/** Looks, and keeps what it finds for the run: whoever is looked at may take an error for one of the network. */
export type Watch = (look: () => void) => void
