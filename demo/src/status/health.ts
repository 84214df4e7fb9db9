// What happens beneath the page: a worker that died and was replaced, a storage that ended.

import type { Parts } from '../parts.ts'

export function showHealth({ store, notices }: Pick<Parts, 'store' | 'notices'>): void {
  const health = store.health()
  let restarts = 0
  health.subscribe(() => {
    const now = health.getSnapshot()
    if (now.phase === 'lost') {
      const detail = `${now.error?.message ?? 'The store ended'}. Everything up to here is kept.`
      const reload = { label: 'Reload', run: () => location.reload() }
      notices.keep({
        kind: 'problem',
        text: 'The board is not connected to its store',
        detail,
        actions: [reload],
      })
    }
    if (now.phase === 'ready' && now.restarts > restarts) {
      restarts = now.restarts
      notices.show({
        kind: 'news',
        text: 'The store’s worker died and was replaced',
        detail: 'Nothing was lost.',
      })
    }
  })
}
