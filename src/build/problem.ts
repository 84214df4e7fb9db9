// What is wrong with the code of a handler, and where.

import type { SourceModule } from './source-module.ts'

export type Problem = Readonly<{
  /** What a handler must not do, or what keeps its code from being known. */
  kind: 'not-deterministic' | 'closure' | 'unknown'
  module: SourceModule
  /** In the module's code. */
  start: number
  /** The name of what must not be used, where it has one. */
  subject?: string
  message: string
  wayOut: string
}>

export type Place = Readonly<{ file: string; line: number; column: number }>

/** Lines and columns count from 1. */
export function placeOf({ module, start }: Pick<Problem, 'module' | 'start'>): Place {
  const before = module.code.slice(0, start).split('\n')
  return { file: module.id, line: before.length, column: before.at(-1)!.length + 1 }
}

export function tellProblem(problem: Problem): string {
  const { file, line, column } = placeOf(problem)
  return `${file}:${line}:${column}: ${problem.message}. ${problem.wayOut}`
}
