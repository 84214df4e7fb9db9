// The door streamdingo/testing: an application's deciders and projections put to the test, with any test runner.

export { type DeciderSpecification, type Outcome, specifyDecider } from './decider-specification.ts'
export { type ProjectionSpecification, specifyProjection } from './projection-specification.ts'
export type { GivenEvent } from './recorded.ts'
export { type ReplayBuild, replayEquivalence } from './replay-equivalence.ts'
export { SpecificationFailed } from './specification-failed.ts'
