// Serves the stores of a host on ports: on the one of a worker's own page, or on each that comes to a shared worker.

import * as Comlink from 'comlink'
import { holdLifeLock } from '../src/protocol/life-lock.ts'
import { type Handshake, readHandshake, WORKER_PROTOCOL } from '../src/protocol/worker-api.ts'
import { watchPage } from './page-watch.ts'
import type { StoreHost } from './store-host.ts'
import { StoreService, type StoreServiceOptions } from './store-service.ts'

/** The worker ends with its page, which need not be watched. */
export function serveOnePage(port: Comlink.Endpoint, host: StoreHost): void {
  servePort(port, { host, lifeLock: onceHeld() })
}

/** @param scope gets a `connect` event with the port of each page, as a `SharedWorkerGlobalScope` does */
export function serveEachPage(scope: EventTarget, host: StoreHost): void {
  const lifeLock = onceHeld()
  const onConnect = ({ ports: [port] }: MessageEvent): void => {
    const onLetGo = () => {
      port!.postMessage({ streamdingo: 'let-go' } satisfies Handshake)
      port!.close()
    }
    const service = servePort(port!, { host, lifeLock, watch: watchPage, onLetGo })
    port!.addEventListener('close', () => service.portClosed())
  }
  scope.addEventListener('connect', onConnect as EventListener)
}

function servePort(port: Comlink.Endpoint, options: StoreServiceOptions): StoreService {
  const sayReady = () =>
    port.postMessage({ streamdingo: 'ready', protocol: WORKER_PROTOCOL } satisfies Handshake)
  const onMessage = ((event: MessageEvent) => {
    if (readHandshake(event.data)?.streamdingo === 'hello') sayReady()
  }) as EventListener
  port.addEventListener('message', onMessage)
  const service = new StoreService(options)
  Comlink.expose(service, port)
  sayReady()
  return service
}

/** One lock tells all pages of the worker's end. */
function onceHeld(): () => Promise<string | null> {
  let held: Promise<string | null> | null = null
  return () => {
    held ??= holdLifeLock()
    return held
  }
}
