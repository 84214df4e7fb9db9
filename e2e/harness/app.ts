// What the harness's worker serves: a text that is edited, a counter, and what devices quarrel about.

import type { Command, DeciderDefinition, Event, ProjectionDefinition } from 'streamdingo'
import { ledgerApp } from './ledger-app.ts'

/** One edit: `deleted` characters at `position` give way to `inserted`. */
export type Edited = Event<'Edited', readonly [position: number, deleted: number, inserted: string]>

const text: ProjectionDefinition<string, Edited> = {
  canHandle: ['Edited'],
  initialState: () => '',
  evolve: {
    Edited: (before, { data: [position, deleted, inserted] }) =>
      before.slice(0, position) + inserted + before.slice(position + deleted),
  },
}

export type Counted = Event<'Counted', { tab: number; n: number }>

const total: ProjectionDefinition<number, Counted> = {
  canHandle: ['Counted'],
  getDocumentId: () => 'all',
  initialState: () => 0,
  evolve: { Counted: sum => sum + 1 },
}

const counter: DeciderDefinition<number, Command<'Count', { tab: number; n: number }>, Counted> = {
  streamName: id => `counter-${id}`,
  initialState: () => 0,
  evolve: { Counted: sum => sum + 1 },
  decide: ({ data }) => ({ type: 'Counted', data }),
}

export const app = {
  deciders: { counter, ...ledgerApp.deciders },
  projections: { text, total, ...ledgerApp.projections },
  merges: ledgerApp.merges,
}

export type HarnessApp = typeof app
