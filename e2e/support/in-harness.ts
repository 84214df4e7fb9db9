// Calls into the harness page, whoever drives the browser.

import type { Harness } from '../harness/main.ts'

/** Any driver's page: gives the value of an expression, awaited there. */
export type Evaluating = Readonly<{ evaluate: (expression: string) => Promise<unknown> }>

/** Runs a step in the page, which closes over nothing: what it needs is given, as JSON. */
export function inHarness<A extends readonly unknown[], R>(
  page: Evaluating,
  step: (harness: Harness, ...given: A) => Promise<R> | R,
  ...given: A
): Promise<R> {
  return page.evaluate(`(${step})(globalThis.harness, ...${JSON.stringify(given)})`) as Promise<R>
}
