// What a benchmark measures, on its way from the page to the report: one figure of one round.

/** Rates are better when higher, everything else when lower. */
export type Unit = 'events/s' | 'documents/s' | 'ms' | 'µs' | 'MB' | 'kB' | '×' | 'events'

export type Measurement = Readonly<{
  name: string
  unit: Unit
  value: number
  /** What was measured, where it is not StreamDingo. */
  subject?: string
  /** What this machine would give for the same work without a store around it, measured in the same round. */
  floor?: number
  /** Which figure of raw IndexedDB tells how fast the machine was. Default `append`. */
  against?: Reference
}>

/** Raw IndexedDB in the same run: by it, runs on different machines are compared. */
export type Reference = 'append' | 'replay'

export const isRate = (unit: Unit): boolean => unit.endsWith('/s')

/** Whether a faster machine changes it. */
export const dependsOnSpeed = (unit: Unit): boolean => !['MB', 'kB', '×', 'events'].includes(unit)
