// How much room the board has in this browser, in words; nothing where there is nothing to say.

import { html, nothing } from 'lit'
import type { StorageStatus } from 'streamdingo'

export function roomInWords({ problem, isLow, persisted, usage, quota }: StorageStatus) {
  const left = usage === null || quota === null ? null : Math.round((quota - usage) / (1024 * 1024))
  if (problem === 'full') {
    return line(
      'problem',
      'There is no room left in this browser. Free some: writing goes on as soon as there is.',
    )
  }
  if (isLow) {
    const much = left === null ? 'Little room is' : `About ${left.toLocaleString()} MB are`
    return line('problem', `${much} left for the board in this browser.`)
  }
  if (problem === 'unknown') return line('quiet-words', 'This browser does not say how much room there is.')
  if (problem === 'may-be-evicted' && persisted !== true) {
    return line(
      'quiet-words',
      'This browser may clear the board when the disk runs full. What the server has comes again; save the history of the rest.',
    )
  }
  return nothing
}

const line = (kind: 'problem' | 'quiet-words', text: string) =>
  html`<p class=${kind} data-testid="room">${text}</p>`
