/// <reference types="vite/client" />
// The page itself, kept for visits without a connection. The board is in the store already.

export function keepForOffline(): void {
  // In development files come and go under their names.
  if (import.meta.hot || !('serviceWorker' in navigator)) return
  navigator.serviceWorker.register('./service-worker.js').catch(() => {
    // Without one the board works as long as its page is open, which is no reason to trouble anybody.
  })
}
