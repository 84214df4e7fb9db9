// Opens the board's store and puts the parts of the page together.

import { html, render } from 'lit'
import { isStoreError } from 'streamdingo'
import { BoardPanel } from './board/board-panel.ts'
import { seedBoard } from './domain/seed.ts'
import { Integrity } from './integrity/integrity.ts'
import { integrityPanel } from './integrity/integrity-panel.ts'
import { isToBeRestored, restoreAndReload } from './integrity/restore.ts'
import { keepForOffline } from './keep-for-offline.ts'
import { openBoard } from './open-board.ts'
import type { Parts } from './parts.ts'
import { replayingPanel } from './replaying/replaying-panel.ts'
import { replicaOf } from './replica.ts'
import { searchPanel } from './search/search-panel.ts'
import { drawShell } from './shell.ts'
import { showHealth } from './status/health.ts'
import { Notices } from './status/notices.ts'
import { PendingCards } from './status/pending-cards.ts'
import { showRejections } from './status/rejections.ts'
import { showStopped } from './status/stopped.ts'
import { syncPanel } from './status/sync-panel.ts'
import { timelinePanel } from './timeline/timeline-panel.ts'

async function start(): Promise<void> {
  const replica = replicaOf(location)
  document.title = `${replica.boardId} · StreamDingo`
  const { at, showView } = drawShell(replica)
  const store = await openBoard(replica, { restore: isToBeRestored() })

  const notices = new Notices(at('notices'), at('spoken'))
  const page = store.view('boardPage', replica.boardId)
  const integrity = new Integrity({ store, replica, notices })
  const pendingCards = new PendingCards({ store, notices })
  const parts: Parts = { store, replica, page, notices, integrity, pendingCards }

  showHealth(parts)
  showStopped(parts)
  syncPanel(at('sync'), parts)
  const board = new BoardPanel({ columns: at('columns'), controls: at('replay') }, parts)
  searchPanel(at('search'), parts, cardId => board.open(cardId))
  const timeline = timelinePanel(at('timeline'), parts)
  integrityPanel(at('integrity'), parts, position => {
    showView('timeline')
    void timeline.show(position)
  })
  replayingPanel(at('replaying'), parts)
  await seedBoard(store, replica.boardId)
  showRejections(parts)
  keepForOffline()
}

function tellFatal(error: Error): void {
  const wayOut = isStoreError(error) ? error.recovery : 'Reload the page.'
  const message = html`
    <div class="fatal" role="alert">
      <h1>The board cannot be opened</h1>
      <p>${error.message}</p>
      <p>${wayOut}</p>
      ${isStoreError(error, 'log-damaged') ? html`<button type="button" class="primary" @click=${restoreAndReload}>Begin anew from the server</button>` : null}
      <button type="button" @click=${() => location.reload()}>Reload</button>
    </div>
  `
  render(message, document.body)
}

start().catch(tellFatal)
