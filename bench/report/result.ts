// A benchmark's result as it is stored: what was measured, on what, and how far the rounds lie apart.

import type { Backend } from '../driver/profile.ts'
import type { Measurement, Reference, Unit } from '../measurement.ts'
import { type Summary, summaryOf } from '../statistics.ts'

export type BenchResult = Readonly<{
  benchmark: string
  title: string
  date: string
  machine: Machine
  browser: string
  rounds: number
  /** What a reader has to know beside the figures. */
  notes: readonly string[]
  rows: readonly Row[]
}>

export type Machine = Readonly<{
  platform: string
  arch: string
  cores: number
  model: string
  memory: number
  node: string
}>

export type Row = Summary &
  Readonly<{
    subject: string
    version: string
    /** Left out where no browser is asked. */
    backend?: Backend
    measure: string
    unit: Unit
    /** One a round. */
    samples: readonly number[]
    /** How many events were appended or read in a round, where that is not the same in all rows. */
    events?: number
    /** Median of {@link Measurement.floor}. */
    floor?: number
    against: Reference
  }>

export type RowFacts = Pick<Row, 'subject' | 'version' | 'backend' | 'events'>

/** Rows of the same measure, over the rounds that it was taken in. */
export function rowsOf(facts: RowFacts, rounds: readonly (readonly Measurement[])[]): Row[] {
  const byName = new Map<string, Measurement[]>()
  for (const one of rounds.flat()) byName.set(one.name, [...(byName.get(one.name) ?? []), one])
  return [...byName].map(([measure, taken]) => {
    const { unit, subject, against = 'append' } = taken[0]!
    const samples = taken.map(({ value }) => value)
    const floors = taken.flatMap(({ floor }) => floor ?? [])
    return {
      ...facts,
      ...(subject !== undefined && { subject, version: '' }),
      measure,
      unit,
      samples,
      ...summaryOf(samples),
      ...(floors.length > 0 && { floor: summaryOf(floors).median }),
      against,
    }
  })
}

/** Subject whose rows stand for how fast the machine was. */
export const REFERENCE_SUBJECT = 'raw IndexedDB'

/** Raw IndexedDB's median of the same run; null where it did not run. */
export function referenceRate({ rows }: Pick<BenchResult, 'rows'>, against: Reference): number | null {
  const row = rows.find(
    ({ subject, backend, measure }) =>
      subject === REFERENCE_SUBJECT && backend === 'LevelDB' && measure === against,
  )
  return row?.median ?? null
}
