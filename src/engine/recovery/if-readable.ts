// Of what cannot be read, whoever reads it for its own sake tells.

import { isStoreError } from '../../log/errors.ts'

/** Null where the log is damaged. */
export async function ifReadable<T>(read: () => Promise<T>): Promise<T | null> {
  try {
    return await read()
  } catch (error) {
    if (isStoreError(error, 'log-damaged')) return null
    throw error
  }
}
