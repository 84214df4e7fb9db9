// What the page keeps for a worker that has no file system of its own: in localStorage, which outlives IndexedDB.

const PREFIX = 'streamdingo/anchor/'

/** Null where there is none, or where this page may keep nothing. */
export async function readAnchor(name: string): Promise<string | null> {
  try {
    return localStorage.getItem(PREFIX + name)
  } catch {
    return null
  }
}

/** Does nothing where this page may keep nothing. */
export async function writeAnchor(name: string, text: string): Promise<void> {
  try {
    localStorage.setItem(PREFIX + name, text)
  } catch {
    // Forbidden, full, or no page at all: then there is no anchor.
  }
}
