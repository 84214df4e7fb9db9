// Calls into a page of the bench.

import type { Page } from 'playwright-core'

/** Runs a step in the page, which closes over nothing: what it needs is given, as JSON. */
export function inPage<B, A extends readonly unknown[], R>(
  page: Page,
  step: (bench: B, ...given: A) => Promise<R> | R,
  ...given: A
): Promise<R> {
  return page.evaluate(`(${step})(globalThis.bench, ...${JSON.stringify(given)})`) as Promise<R>
}
