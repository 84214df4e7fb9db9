// The way out of a damaged database: the page opens it once more, and has its log begun anew.

const KEY = 'streamdingo-demo/restore'

export function restoreAndReload(): void {
  sessionStorage.setItem(KEY, 'yes')
  location.reload()
}

/** True once, after {@link restoreAndReload}. */
export function isToBeRestored(): boolean {
  const isWanted = sessionStorage.getItem(KEY) !== null
  sessionStorage.removeItem(KEY)
  return isWanted
}
