// Tells a log and telemetry what was answered. Neither can take an answer with it when it fails.

import type { OnEnd } from './hint-stream.ts'
import {
  type RequestLog,
  type RequestRecord,
  requestLogOf,
  type ServerLogEvent,
  type ServerTelemetry,
} from './request-record.ts'

export type ObserverOptions = Readonly<{
  /** Told of each request when it is answered, and of each stream of hints when it ends. */
  log?: (event: ServerLogEvent) => void
  telemetry?: ServerTelemetry
}>

export class Observers {
  readonly #log: ObserverOptions['log']
  readonly #telemetry: ObserverOptions['telemetry']
  readonly #onError: (error: unknown) => void

  constructor({ log, telemetry }: ObserverOptions, onError: (error: unknown) => void) {
    this.#log = log
    this.#telemetry = telemetry
    this.#onError = onError
  }

  /** @param respond never rejects */
  async request(
    request: Request,
    record: RequestRecord,
    respond: () => Promise<Response>,
  ): Promise<Response> {
    let responding: Promise<Response> | undefined
    const answer = async (): Promise<RequestLog> => {
      responding ??= respond()
      return requestLogOf(record, (await responding).status)
    }
    try {
      await this.#telemetry?.request(request, answer)
    } catch (error) {
      this.#onError(error)
    }
    // Telemetry that failed may not have asked for it.
    const told = await answer()
    this.#tell(() => this.#log?.(told))
    return responding!
  }

  streamBegan(): void {
    this.#tell(() => this.#telemetry?.stream(1))
  }

  streamEnded({ requestId, storeId, subject, startedAt }: RequestRecord, reason: Parameters<OnEnd>[0]): void {
    const durationMs = performance.now() - startedAt
    this.#tell(() => this.#telemetry?.stream(-1))
    this.#tell(() => this.#log?.({ event: 'stream-ended', requestId, storeId, subject, reason, durationMs }))
  }

  #tell(tell: () => void): void {
    try {
      tell()
    } catch (error) {
      this.#onError(error)
    }
  }
}
