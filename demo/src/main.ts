// Opens the board's store and puts the parts of the page together.

import { html, render } from 'lit'
import { isStoreError, openStore } from 'streamdingo'
import { boardPanel } from './board-panel.ts'
import type { DemoApp } from './domain/app.ts'
import { seedBoard } from './domain/seed.ts'
import { integrityPanel } from './integrity-panel.ts'
import { Notices } from './notices.ts'
import { statusBar } from './status-bar.ts'
import { tabs } from './tabs.ts'
import { timelinePanel } from './timeline-panel.ts'

const boardId = new URLSearchParams(location.search).get('board') ?? 'demo'

async function start(): Promise<void> {
  const store = await openStore<DemoApp>(
    () => new Worker(new URL('../store-worker.ts', import.meta.url), { type: 'module' }),
    { storeId: boardId, sync: { token: boardId } },
  )
  const notices = new Notices()
  const parts = { store, boardId, notices }
  const layout = html`
    <header class="bar">
      <h1><span class="mark" aria-hidden="true"></span>StreamDingo <small>board “${boardId}”</small></h1>
      <div id="status"></div>
    </header>
    <div id="tabs"></div>
    <main>
      <section id="board" aria-label="Board"></section>
      <aside>
        <section id="timeline" aria-label="Timeline"></section>
        <section id="integrity" aria-label="Integrity"></section>
      </aside>
    </main>
    <div id="notices" role="status" aria-live="polite"></div>
  `
  render(layout, document.body)
  const at = (id: string): HTMLElement => document.getElementById(id)!
  notices.mount(at('notices'))
  tabs(at('tabs'))
  statusBar(at('status'), parts)
  boardPanel(at('board'), parts)
  timelinePanel(at('timeline'), parts)
  integrityPanel(at('integrity'), parts)
  await seedBoard(store, boardId)
}

start().catch(error => {
  const wayOut = isStoreError(error) ? error.recovery : 'Reload the page.'
  render(
    html`<div class="fatal" role="alert"><h1>The board cannot be opened</h1><p>${error.message}</p><p>${wayOut}</p></div>`,
    document.body,
  )
})
