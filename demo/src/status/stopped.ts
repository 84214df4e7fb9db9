// Sync that stopped until somebody acts: said once, with the way out.

import type { Parts } from '../parts.ts'

export function showStopped({ store, notices }: Pick<Parts, 'store' | 'notices'>): void {
  const status = store.sync.status()
  let close: (() => void) | null = null
  let told: string | null = null
  const look = (): void => {
    const { phase, error } = status.getSnapshot()
    const message = phase === 'stopped' && error ? error.message : null
    if (message === told) return
    told = message
    close?.()
    close = null
    if (message === null || !error) return
    const again = {
      label: 'Sync again',
      run: () => void store.sync.poke().catch(failure => notices.error(failure)),
    }
    close = notices.keep({
      kind: 'problem',
      text: `Sync stopped: ${message}`,
      detail: error.recovery,
      actions: [again],
    })
  }
  status.subscribe(look)
  look()
}
