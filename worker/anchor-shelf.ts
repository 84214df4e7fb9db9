// Where head anchors are kept: in a file of the origin private file system, or by a page in localStorage.

import type { Pages } from './pages.ts'

/** Short texts by name, outside IndexedDB. */
export interface AnchorShelf {
  /** Null where there is none. */
  read(name: string): Promise<string | null>
  write(name: string, text: string): Promise<void>
}

const FOLDER = 'streamdingo-anchors'

/** The file system where this worker can write to it, or else a page. */
export async function openAnchorShelf(pages: Pages): Promise<AnchorShelf> {
  return (await openFileShelf()) ?? shelfOf(pages)
}

const shelfOf = (pages: Pages): AnchorShelf => ({
  read: name => pages.ask(page => page.readAnchor(name)),
  write: async (name, text) => void (await pages.ask(page => page.writeAnchor(name, text))),
})

async function openFileShelf(): Promise<AnchorShelf | null> {
  try {
    const root = await navigator.storage.getDirectory()
    const folder = await root.getDirectoryHandle(FOLDER, { create: true })
    return canWrite() ? new FileShelf(folder) : null
  } catch {
    // Missing, or refused, as in private windows of some browsers.
    return null
  }
}

const canWrite = (): boolean => 'createWritable' in FileSystemFileHandle.prototype

class FileShelf implements AnchorShelf {
  readonly #folder: FileSystemDirectoryHandle

  constructor(folder: FileSystemDirectoryHandle) {
    this.#folder = folder
  }

  async read(name: string): Promise<string | null> {
    try {
      const handle = await this.#folder.getFileHandle(fileNameOf(name))
      return await (await handle.getFile()).text()
    } catch (error) {
      if (error instanceof DOMException && error.name === 'NotFoundError') return null
      throw error
    }
  }

  /** Takes the place of the file before when it is closed, so that none is ever half written. */
  async write(name: string, text: string): Promise<void> {
    const handle = await this.#folder.getFileHandle(fileNameOf(name), { create: true })
    const writable = await handle.createWritable()
    await writable.write(text)
    await writable.close()
  }
}

const fileNameOf = (name: string): string => `${encodeURIComponent(name)}.json`
