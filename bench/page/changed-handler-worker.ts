// Serves the application as it was before a handler was changed, or after, by the worker's name. Says how many events its
// replays have folded to whoever asks.

import { indexedDbStorage } from 'streamdingo/storage/indexeddb'
import { serveStore } from 'streamdingo/worker'
import { apps } from './changed-handler-app.ts'

let replayed = 0
new BroadcastChannel('replayed').onmessage = ({ data, target }) => {
  if (data === 'how many?') (target as BroadcastChannel).postMessage(replayed)
}

serveStore({
  app: apps[self.name as keyof typeof apps],
  storage: ({ storeId }) => indexedDbStorage({ name: storeId }),
  audit: false,
  onReplayed: report => {
    replayed += report.replayed
  },
})
