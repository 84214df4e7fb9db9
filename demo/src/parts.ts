import type { StoreClient } from 'streamdingo'
import type { DemoApp } from './domain/app.ts'
import type { Notices } from './notices.ts'

/** What every part of the page is given. */
export type Parts = Readonly<{ store: StoreClient<DemoApp>; boardId: string; notices: Notices }>
