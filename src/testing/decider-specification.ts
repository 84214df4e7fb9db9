// Given what happened, when a command comes, then this happens, or it is refused.

import type { Event } from '../log/event.ts'
import type { Command, DeciderDefinition } from '../model/app.ts'
import { deepFreeze } from '../model/deep-freeze.ts'
import { evolveState } from '../model/evolve.ts'
import { type GivenEvent, recordedEvents } from './recorded.ts'
import { mustEqual, SpecificationFailed } from './specification-failed.ts'

/** A refusal: its class, or words that its message must have. */
export type Refusal = RegExp | string | (abstract new (...args: never[]) => Error)

/** What the decider is to answer: events, of which types and data count, or a refusal. */
export type Outcome<E extends Event> = readonly E[] | E | Refusal

export type DeciderSpecification<C, E extends Event> = (given: readonly GivenEvent<E>[]) => Readonly<{
  when: (command: C) => Readonly<{
    /** @throws `SpecificationFailed` when the decider answers otherwise. */
    then: (expected: Outcome<E>) => void
  }>
}>

/**
 * Specifies a decider: `given([…]).when(command).then([…])`. States, events and commands are frozen: a function that
 * changes one of them fails.
 */
export function specifyDecider<S, C extends Command, E extends Event>(
  decider: DeciderDefinition<S, C, E>,
): DeciderSpecification<C, E> {
  return given => ({
    when: command => ({
      then(expected) {
        const answer = answerOf(decider, given, command)
        if (isRefusal(expected)) mustRefuse(answer, expected)
        else mustAnswer(answer, 'type' in expected ? [expected] : expected)
      },
    }),
  })
}

type Answer = Readonly<{ events: readonly Event[] }> | Readonly<{ refusal: unknown }>

function answerOf<S, C extends Command, E extends Event>(
  decider: DeciderDefinition<S, C, E>,
  given: readonly GivenEvent<E>[],
  command: C,
): Answer {
  let state = deepFreeze(decider.initialState())
  for (const event of recordedEvents(given)) state = deepFreeze(evolveState(decider.evolve, state, event))
  try {
    const decided = decider.decide(deepFreeze(structuredClone(command)), state)
    return { events: 'type' in decided ? [decided] : decided }
  } catch (refusal) {
    return { refusal }
  }
}

function isRefusal<E extends Event>(expected: Outcome<E>): expected is Refusal {
  return typeof expected === 'function' || typeof expected === 'string' || expected instanceof RegExp
}

function mustRefuse(answer: Answer, expected: Refusal): void {
  if ('events' in answer) {
    throw new SpecificationFailed('The command was to be refused', String(expected), answer.events)
  }
  const { refusal } = answer
  const message = refusal instanceof Error ? refusal.message : String(refusal)
  const isMeant =
    typeof expected === 'function'
      ? refusal instanceof expected
      : typeof expected === 'string'
        ? message.includes(expected)
        : expected.test(message)
  if (!isMeant) throw new SpecificationFailed('The command was refused otherwise', String(expected), refusal)
}

function mustAnswer(answer: Answer, expected: readonly Event[]): void {
  if ('refusal' in answer) {
    throw new SpecificationFailed('The command was refused', expected.map(shape), answer.refusal)
  }
  mustEqual('The command led to other events', answer.events.map(shape), expected.map(shape))
}

/** Ids are made anew each time. */
const shape = ({ id: _, ...event }: Event): Omit<Event, 'id'> => event
