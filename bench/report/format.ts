// Figures as people read them: three digits that mean something.

import type { Unit } from '../measurement.ts'

export function formatValue(value: number, unit: Unit): string {
  return `${formatNumber(value)} ${unit}`
}

/** 123,457 for 123456.7, but 1.23 for 1.2345. */
export function formatNumber(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2
  return value.toLocaleString('en', { maximumFractionDigits: digits })
}
