// One event in full: its words, its seal, and the way to the event it follows.

import { html, nothing, render } from 'lit'
import type { RecordedEvent } from 'streamdingo'
import { fingerprint } from '../fingerprint.ts'
import { downloadProof } from '../integrity/proof.ts'
import type { Parts } from '../parts.ts'
import { type DemoEvent, writtenText } from '../words.ts'

type AnyEvent = RecordedEvent<DemoEvent>

export class EventDialog {
  readonly #parts: Parts
  readonly #dialog = document.createElement('dialog')
  #shown: AnyEvent | null = null
  /** Whether it is asked if the event is to be erased indeed. */
  #isAsking = false

  constructor(parts: Parts) {
    this.#parts = parts
    this.#dialog.className = 'event-dialog'
    this.#dialog.setAttribute('aria-labelledby', 'event-title')
    document.body.append(this.#dialog)
  }

  open(event: AnyEvent): void {
    this.#isAsking = false
    this.#show(event)
    this.#dialog.showModal()
  }

  /** What has become of the event while its dialog is open: confirmed by the server, or rebased by it. */
  update(events: readonly AnyEvent[]): void {
    if (!this.#dialog.open) return
    const now = events.find(({ metadata }) => metadata.eventId === this.#shown?.metadata.eventId)
    if (now) this.#show(now)
  }

  #show(event: AnyEvent): void {
    this.#shown = event
    render(this.#content(event), this.#dialog)
  }

  #content(event: AnyEvent) {
    const { eventId, streamName, streamVersion, globalPosition, recordedAt, hash, previousHash, status } =
      event.metadata
    const hasPrevious = streamVersion > 1
    const canForge = writtenText(event) !== null && status === 'confirmed'
    return html`
      <header>
        <h2 id="event-title">${event.type}</h2>
        <span class="badge" data-status=${status}>${status}</span>
      </header>
      <p class="lead">${status === 'confirmed' ? 'The server has it, too.' : 'On this device only, until the server confirms it.'}</p>
      <pre>${JSON.stringify(event.data, null, 2)}</pre>
      <dl>
        <div><dt>Stream</dt><dd>${streamName}, version ${streamVersion}</dd></div>
        <div><dt>Position</dt><dd>${globalPosition.toLocaleString()} in the log of this device</dd></div>
        <div><dt>Recorded</dt><dd><time>${new Date(recordedAt).toLocaleString()}</time></dd></div>
        <div><dt>Id</dt><dd><code>${eventId}</code></dd></div>
      </dl>
      <div class="seal">
        <p>${fingerprint(hash)} <span>Its fingerprint, of all of the above and of the fingerprint below</span></p>
        <code>${hash}</code>
      </div>
      <div class="seal">
        <p>${fingerprint(previousHash)} <span>${hasPrevious ? 'Fingerprint of the event it follows' : 'Where this stream begins'}</span></p>
        <code>${previousHash}</code>
      </div>
      ${this.#isAsking ? this.#question(event) : nothing}
      <footer>
        ${hasPrevious ? html`<button type="button" @click=${() => this.#showPrevious(event)}>Go to the event before</button>` : nothing}
        <button type="button" @click=${() => this.#prove(eventId)}>Download a proof</button>
        ${writtenText(event) === null ? nothing : html`<button type="button" class="danger" @click=${() => this.#ask(event, true)}>Erase what it says</button>`}
        ${canForge ? html`<button type="button" class="danger" @click=${() => this.#forge(event)}>Forge this event</button>` : nothing}
        <button type="button" class="end" @click=${() => this.#dialog.close()}>Close</button>
      </footer>
    `
  }

  async #showPrevious({ metadata }: AnyEvent): Promise<void> {
    const { store, notices } = this.#parts
    const version = metadata.streamVersion - 1
    try {
      const range = { from: version, to: version }
      const { events } = await store.readStream<DemoEvent>(metadata.streamName, range)
      if (events[0]) this.#show(events[0])
    } catch (error) {
      notices.error(error)
    }
  }

  async #prove(eventId: string): Promise<void> {
    const { store, notices } = this.#parts
    try {
      await downloadProof(store, eventId)
      notices.show({
        kind: 'news',
        text: 'A proof of this event was saved',
        detail:
          'Anybody can check it without the board: give them the file, and have it checked under Integrity.',
      })
    } catch (error) {
      notices.error(error)
    }
  }

  #question(event: AnyEvent) {
    return html`
      <div class="question" role="alert">
        <p>What this event says will be gone for good, here, on the server and on every other device. Its place in the history and its seal stay.</p>
        <button type="button" class="danger" @click=${() => this.#erase(event)}>Erase it everywhere</button>
        <button type="button" @click=${() => this.#ask(event, false)}>Keep it</button>
      </div>
    `
  }

  #ask(event: AnyEvent, isAsking: boolean): void {
    this.#isAsking = isAsking
    this.#show(event)
  }

  async #erase({ metadata }: AnyEvent): Promise<void> {
    const { store, notices } = this.#parts
    this.#dialog.close()
    try {
      await store.eraseEvent(metadata.eventId)
      notices.show({
        kind: 'news',
        text: 'What the event said was erased',
        detail:
          'The next sync erases it on the server and on every other device. The history still checks out.',
      })
    } catch (error) {
      notices.error(error)
    }
  }

  #forge(event: AnyEvent): void {
    this.#dialog.close()
    void this.#parts.integrity.forge(event)
  }
}
