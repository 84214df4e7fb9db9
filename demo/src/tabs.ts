// On a phone one part of the page is shown at a time.

import { html, render } from 'lit'

const TABS = [
  ['board', 'Board'],
  ['timeline', 'Timeline'],
  ['integrity', 'Integrity'],
] as const

export function tabs(host: HTMLElement): void {
  const show = (name: string): void => {
    document.body.dataset['tab'] = name
    render(
      html`<nav aria-label="Parts of the page">
        ${TABS.map(
          ([id, title]) =>
            html`<button type="button" aria-current=${id === name ? 'page' : 'false'} @click=${() => show(id)}>${title}</button>`,
        )}
      </nav>`,
      host,
    )
  }
  show('board')
}
