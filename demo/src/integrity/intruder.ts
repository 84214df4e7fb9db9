// What somebody could do to the browser's database while nobody looks: keep a copy, put it back later, empty it. The
// store is closed before, and told nothing.

import { deleteDB, openDB } from 'idb'

type Content = Readonly<{ blocks: unknown[]; keys: IDBValidKey[]; values: unknown[] }>

const copyOf = (database: string): string => `${database}/copy`

/** Of all that the store keeps in this database; keys and anchor stand elsewhere. */
export async function keepCopy(database: string): Promise<void> {
  const source = await openDB(database)
  const [blocks, keys, values] = await Promise.all([
    source.getAll('blocks'),
    source.getAllKeys('values'),
    source.getAll('values'),
  ])
  source.close()
  const copy = await openDB(copyOf(database), 1, {
    upgrade: opened => void opened.createObjectStore('content'),
  })
  await copy.put('content', { blocks, keys, values } satisfies Content, 'all')
  copy.close()
}

/** @throws when no copy was kept */
export async function putCopyBack(database: string): Promise<void> {
  const copy = await openDB(copyOf(database), 1, {
    upgrade: opened => void opened.createObjectStore('content'),
  })
  const content: Content | undefined = await copy.get('content', 'all')
  copy.close()
  if (!content) throw new Error('No copy was kept yet')
  const target = await openDB(database)
  const transaction = target.transaction(['blocks', 'values'], 'readwrite')
  const [blocks, values] = [transaction.objectStore('blocks'), transaction.objectStore('values')]
  await Promise.all([blocks.clear(), values.clear()])
  await Promise.all([
    ...content.blocks.map(block => blocks.put(block)),
    ...content.keys.map((key, i) => values.put(content.values[i], key)),
    transaction.done,
  ])
  target.close()
}

export const wipe = (database: string): Promise<void> => deleteDB(database)
