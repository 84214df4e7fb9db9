// Results as a run would give them, for the tests of what is made of results.

import { type BenchResult, REFERENCE_SUBJECT, type Row } from '../../bench/report/result.ts'
import { summaryOf } from '../../bench/statistics.ts'

export function madeUpRow(subject: string, samples: readonly number[], more: Partial<Row> = {}): Row {
  return {
    subject,
    version: '1.2.3',
    backend: 'LevelDB',
    measure: 'append',
    unit: 'events/s',
    samples,
    ...summaryOf(samples),
    against: 'append',
    ...more,
  }
}

/** On a machine on which raw IndexedDB takes in so many events a second. */
export function madeUpResult(rawRate: number, rows: readonly Row[]): BenchResult {
  return {
    benchmark: 'append',
    title: 'Append',
    date: '2026-11-23T12:00:00.000Z',
    machine: {
      platform: 'linux',
      arch: 'x64',
      cores: 2,
      model: 'A machine',
      memory: 8 * 2 ** 30,
      node: 'v20.20.2',
    },
    browser: 'Chromium 156',
    rounds: 3,
    notes: [],
    rows: [madeUpRow(REFERENCE_SUBJECT, [rawRate * 0.9, rawRate, rawRate * 1.1]), ...rows],
  }
}
