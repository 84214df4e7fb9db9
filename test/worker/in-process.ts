// Workers in the process of a test, at the other end of a port.

import type { View } from '../../src/client/views.ts'
import type { SharedEndpoint } from '../../src/client/worker-session.ts'
import type { App } from '../../src/model/app.ts'
import type { LogStorage } from '../../src/storage/log-storage.ts'
import { type ServeStoreOptions, serveStoreOn, serveStoreToAll } from '../../worker/serve-store.ts'
import { cartApp } from './cart-app.ts'

/** A worker in this process. `die` cuts its port, as the end of a real one would. */
export function startWorker(
  storage: () => LogStorage,
  app: App = cartApp,
): { port: MessagePort; die: () => void } {
  const { port1, port2 } = new MessageChannel()
  serveStoreOn(port2, { app, storage, onError: () => {} })
  return { port: port1, die: () => port2.close() }
}

/** A shared worker in this process, and how pages come to it. */
export function startSharedWorker(options: ServeStoreOptions): { connect: () => SharedEndpoint } {
  const scope = new EventTarget()
  serveStoreToAll(scope, { onError: () => {}, ...options })
  return {
    connect() {
      const { port1, port2 } = new MessageChannel()
      scope.dispatchEvent(Object.assign(new Event('connect'), { ports: [port2] }))
      return Object.assign(new EventTarget(), { port: port1 })
    },
  }
}

/** Resolves when the view shows what is wanted. */
export function shows<S>(view: View<S>, wanted: (state: S) => boolean): Promise<void> {
  return new Promise(resolve => {
    const look = () => {
      const snapshot = view.getSnapshot()
      if (snapshot && wanted(snapshot.state)) {
        unsubscribe()
        resolve()
      }
    }
    const unsubscribe = view.subscribe(look)
    look()
  })
}
