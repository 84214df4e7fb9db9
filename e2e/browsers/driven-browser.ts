// What the smoke test asks of a browser, whoever drives it.

/** A browser that may be on this machine. */
export type DrivenBrowser = Readonly<{
  name: string
  /** What it would need to run here; null when it can. */
  missing: string | null
  launch: () => Promise<Profile>
}>

/** A running browser on a fresh profile. */
export type Profile = Readonly<{
  newTab: () => Promise<Tab>
  close: () => Promise<void>
}>

export type Tab = Readonly<{
  goto: (url: string) => Promise<void>
  reload: () => Promise<void>
  /** Value of an expression in the page, awaited there. Rejects with what it throws. */
  evaluate: (expression: string) => Promise<unknown>
}>
