// The app that the worker serves. The page imports only its type.

import { boardDecider } from './board-decider.ts'
import { boardPage } from './board-page.ts'
import { cardNotes } from './notes.ts'

export const app = { deciders: { board: boardDecider }, projections: { boardPage, cardNotes } }

export type DemoApp = typeof app
