// What was replayed in this worker, the latest last.

import type { ReplayReport } from '../src/model/replay-report.ts'

const MOST = 200

export class ReplayReports {
  readonly #reports: ReplayReport[] = []

  add(report: ReplayReport): void {
    this.#reports.push(report)
    if (this.#reports.length > MOST) this.#reports.shift()
  }

  list(): readonly ReplayReport[] {
    return this.#reports
  }
}
