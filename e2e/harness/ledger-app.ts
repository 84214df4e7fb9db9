// What the harness's devices quarrel about: seats that one of them gets, topics that one mention is enough for, texts.

import type { Command, DeciderDefinition, Event, MergeDefinition, ProjectionDefinition } from 'streamdingo'

export type SeatTaken = Event<'SeatTaken', { seat: number; by: string; n: number }>
export type TopicNamed = Event<'TopicNamed', { topic: number; by: string; n: number }>
/** `woven` once it has met what others wrote. */
export type Wrote = Event<'Wrote', { by: string; n: number; woven?: true }>

/** Of two who take one seat, the second one is refused. */
const hall: DeciderDefinition<
  readonly number[],
  Command<'TakeSeat', { seat: number; by: string; n: number }>,
  SeatTaken
> = {
  streamName: id => `hall-${id}`,
  initialState: () => [],
  evolve: { SeatTaken: (taken, { data }) => [...taken, data.seat] },
  decide: ({ data }, taken) => {
    if (taken.includes(data.seat)) throw new Error(`Seat ${data.seat} is taken`)
    return { type: 'SeatTaken', data }
  },
}

/** Of two who name one topic, the second one has nothing to do. */
const agenda: DeciderDefinition<
  readonly number[],
  Command<'NameTopic', { topic: number; by: string; n: number }>,
  TopicNamed
> = {
  streamName: id => `agenda-${id}`,
  initialState: () => [],
  evolve: { TopicNamed: (named, { data }) => [...named, data.topic] },
  decide: ({ data }, named) => (named.includes(data.topic) ? [] : { type: 'TopicNamed', data }),
}

/** All that was written stays, under its id, and says that it met something. */
const weave: MergeDefinition<unknown, Wrote> = {
  merge: ({ local }) => local.map(event => ({ ...event, data: { ...event.data, woven: true } })),
}

/** Everything of a stream in its order: two devices that hash it alike have the same. */
const account: ProjectionDefinition<readonly string[], SeatTaken | TopicNamed | Wrote> = {
  canHandle: ['SeatTaken', 'TopicNamed', 'Wrote'],
  initialState: () => [],
  evolve: {
    SeatTaken: (lines, { data }) => [...lines, `${data.by}/${data.n} seat ${data.seat}`],
    TopicNamed: (lines, { data }) => [...lines, `${data.by}/${data.n} topic ${data.topic}`],
    Wrote: (lines, { data }) => [...lines, `${data.by}/${data.n}${data.woven ? ' woven' : ''}`],
  },
}

export const ledgerApp = { deciders: { hall, agenda }, projections: { account }, merges: { weave } }
