// What every part of the page is given, and what parts do for each other.

import type { Readable, StoreClient, View } from 'streamdingo'
import type { DemoApp } from './domain/app.ts'
import type { BoardPage } from './domain/board-page.ts'
import type { Integrity } from './integrity/integrity.ts'
import type { Replica } from './replica.ts'
import type { Notices } from './status/notices.ts'

export type Parts = Readonly<{
  store: StoreClient<DemoApp>
  replica: Replica
  page: View<BoardPage>
  notices: Notices
  integrity: Integrity
  /** Cards with changes that are on this device only. */
  pendingCards: Readable<ReadonlySet<string>>
}>
