// Taking in an exported log: what the application is told meanwhile.

/** In entries of the log. Nothing is written while it is `verifying`, and what is `writing` does not count until all of it is there. */
export type ImportProgress = Readonly<{ phase: 'verifying' | 'writing'; done: number; total: number }>
