// Import names of the package's doors, for what is built inside its own repository.

import { fileURLToPath } from 'node:url'
import { DOORS } from './doors.mjs'

const at = path => fileURLToPath(new URL(`../${path}`, import.meta.url))

/** `storage-indexeddb` is imported as `streamdingo/storage/indexeddb`. */
const importName = door => (door === 'index' ? 'streamdingo' : `streamdingo/${door.replace('-', '/')}`)

/**
 * Vite aliases to the built package, or to its sources.
 *
 * @param {'dist' | 'sources'} to
 */
export function packageAliases(to) {
  return Object.entries(DOORS).map(([door, source]) => ({
    find: new RegExp(`^${importName(door)}$`),
    replacement: to === 'dist' ? at(`dist/${door}.js`) : at(source),
  }))
}
