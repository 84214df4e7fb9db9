// Megabytes that the page and its workers hold.

/** Null in a browser that cannot tell, or on a page that is not isolated from other origins. */
export async function measureMemory(): Promise<number | null> {
  const measure = (performance as { measureUserAgentSpecificMemory?: () => Promise<{ bytes: number }> })
    .measureUserAgentSpecificMemory
  if (!measure || !crossOriginIsolated) return null
  return (await measure.call(performance)).bytes / 1e6
}
