// The app that the worker serves. The page imports only its type.

import { RELEASES, type Release } from './activity.ts'
import { boardDecider } from './board-decider.ts'
import { boardPage } from './board-page.ts'
import { cardNotes } from './notes.ts'

export const appOf = (release: Release) => ({
  deciders: { board: boardDecider },
  projections: { boardPage, cardNotes, activity: RELEASES[release] },
})

export type DemoApp = ReturnType<typeof appOf>
