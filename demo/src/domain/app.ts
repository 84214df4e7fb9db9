// The app that the worker serves. The page imports only its type.

import { board, boardPage, cardNotes } from './board.ts'

export const app = { deciders: { board }, projections: { boardPage, cardNotes } }

export type DemoApp = typeof app
