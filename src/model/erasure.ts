// What it is to erase: the content of events goes, for good and on every replica; that they were there stays.

/** Events whose content was erased together. */
export type Erasure = Readonly<{
  eventIds: readonly string[]
  /** In the words of who asked for it. It is kept, and told to every replica. */
  reason: string | null
  /** Milliseconds since the Unix epoch, by the clock of the device that asked for it. */
  erasedAt: number
}>

export type EraseOptions = Readonly<{
  /** Why; shown by `erasures()`. Not the place for what is to be forgotten. */
  reason?: string
}>
