// A hash as a picture: the same bars and colour wherever the same hash appears, so that an eye can follow a chain.

import { html, svg } from 'lit'

const BARS = 9
const PITCH = 4
const HEIGHT = 16

/** `hash` in hex. Says nothing to a screen reader: stand the digits beside it. */
export function fingerprint(hash: string) {
  const hue = Math.round((Number.parseInt(hash.slice(0, 4), 16) / 0xffff) * 360)
  const bars = Array.from({ length: BARS }, (_, i) => {
    const height = 4 + (Number.parseInt(hash[4 + i] ?? '0', 16) / 15) * (HEIGHT - 4)
    return svg`<rect x=${i * PITCH} y=${(HEIGHT - height) / 2} width="2.5" height=${height} rx="1.25" />`
  })
  return html`<svg class="fingerprint" style="--hue: ${hue}" viewBox="0 0 ${BARS * PITCH - 1.5} ${HEIGHT}" aria-hidden="true">${bars}</svg>`
}

/** The picture with the first digits. */
export function shortHash(hash: string, title: string) {
  return html`<span class="hash" title="${title}: ${hash}">${fingerprint(hash)}<code>${hash.slice(0, 7)}</code></span>`
}
