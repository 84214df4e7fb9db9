// The page before anything is known: where each part will stand, so that nothing shifts when it comes.

import { html, render } from 'lit'
import { COLUMNS, type ColumnId, TITLES } from './domain/board.ts'
import type { Replica } from './replica.ts'

const VIEWS = [
  ['board', 'Board'],
  ['timeline', 'Timeline'],
  ['integrity', 'Integrity'],
] as const
type ViewName = (typeof VIEWS)[number][0]

export type Shell = Readonly<{
  /** The places by their ids. */
  at: (id: string) => HTMLElement
  /** On a phone one part of the page is shown at a time. */
  showView: (name: ViewName) => void
}>

export function drawShell(replica: Replica): Shell {
  render(layout(replica), document.body)
  const at = (id: string): HTMLElement => document.getElementById(id)!
  const showView = (name: ViewName): void => {
    document.body.dataset['view'] = name
    render(navigation(name, showView), at('navigation'))
  }
  showView('board')
  render(COLUMNS.map(emptyColumn), at('columns'))
  return { at, showView }
}

function layout({ boardId, device }: Replica) {
  return html`
    <header class="bar">
      <h1>${mark()} <span>StreamDingo</span></h1>
      <p class="tagline">A board that works offline and can prove its history</p>
      ${device === null ? null : html`<span class="device" title="This window is a device of its own, with its own database">${device} device</span>`}
      <div id="sync"></div>
    </header>
    <main>
      <section id="board" aria-label="Board">
        <div class="board-head">
          <h2><button type="button" class="quiet board-name" popovertarget="boards" title="Open another board">${boardId}</button></h2>
          ${boards()}
          <div id="search"></div>
          <div id="replay"></div>
        </div>
        <div id="columns"></div>
      </section>
      <aside>
        <section id="integrity" aria-label="Integrity"></section>
        <section id="replaying" aria-label="Smart replay"></section>
        <section id="timeline" aria-label="Timeline"></section>
      </aside>
    </main>
    <nav id="navigation" aria-label="Parts of the page"></nav>
    <div id="notices" popover="manual"></div>
    <div id="spoken" class="spoken" role="status"></div>
  `
}

function boards() {
  return html`
    <div id="boards" class="popover" popover role="region" aria-label="Boards">
      <form>
        <label>Open a board by its name
          <input name="board" pattern="[a-z0-9][a-z0-9\\-]{0,39}" required autocomplete="off" placeholder="our-garden" title="Small letters, digits and hyphens" />
        </label>
        <button type="submit">Open</button>
      </form>
      <p>Whoever knows the name shares the board. It works without a connection, and meets the others when there is one.</p>
    </div>
  `
}

function emptyColumn(column: ColumnId) {
  return html`<section class="column" aria-busy="true" aria-label=${TITLES[column]}>
    <header><h3>${TITLES[column]}</h3></header>
    <ol></ol>
  </section>`
}

function navigation(shown: ViewName, showView: (name: ViewName) => void) {
  return VIEWS.map(
    ([name, title]) =>
      html`<button type="button" data-view=${name} aria-current=${name === shown ? 'page' : 'false'} @click=${() => showView(name)}>${title}</button>`,
  )
}

function mark() {
  return html`<svg class="mark" viewBox="0 0 32 32" aria-hidden="true">
    <path d="M4 3l8.5 6.5h7L28 3v15c0 3.2-1.4 5.4-3.6 7.4L18 30.6a3 3 0 0 1-4 0l-6.4-5.2C5.4 23.4 4 21.2 4 18z" />
    <path class="mark-face" d="M10 16.5l3.4 1.6M22 16.5l-3.4 1.6M13.6 24.4h4.8L16 27z" />
  </svg>`
}
