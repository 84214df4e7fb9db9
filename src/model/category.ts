// Categories of streams: what their names begin with.

/** What the name of a stream has before the first `-`; all of it where there is none. */
export function categoryOf(streamName: string): string {
  const end = streamName.indexOf('-')
  return end === -1 ? streamName : streamName.slice(0, end)
}

/** Whether a stream is of one of these categories; of undefined, every one is. */
export function categoryTest(categories: readonly string[] | undefined): (streamName: string) => boolean {
  if (!categories) return () => true
  const wanted = new Set(categories)
  return streamName => wanted.has(categoryOf(streamName))
}
