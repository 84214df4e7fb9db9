// One event in full: its words, its seal, and the way to the event it follows.

import { html, nothing, render } from 'lit'
import type { Readable, RecordedEvent } from 'streamdingo'
import { boardStream } from '../domain/board.ts'
import { fingerprint } from '../fingerprint.ts'
import { downloadProof } from '../integrity/proof.ts'
import type { Parts } from '../parts.ts'
import { type DemoEvent, writtenText } from '../words.ts'

type AnyEvent = RecordedEvent<DemoEvent>

export class EventDialog {
  readonly #parts: Parts
  readonly #dialog = document.createElement('dialog')
  #shown: AnyEvent | null = null
  readonly #leftOut: Readable<ReadonlySet<string>>
  /** What it is asked whether to do indeed. */
  #asking: 'erase' | 'leave out' | null = null

  /** @param leftOut ids of events that do not count any more */
  constructor(parts: Parts, leftOut: Readable<ReadonlySet<string>>) {
    this.#parts = parts
    this.#leftOut = leftOut
    this.#dialog.className = 'event-dialog'
    this.#dialog.setAttribute('aria-labelledby', 'event-title')
    document.body.append(this.#dialog)
  }

  open(event: AnyEvent): void {
    this.#asking = null
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
    const isLeftOut = this.#leftOut.getSnapshot().has(eventId)
    const canLeaveOut = !isLeftOut && streamName === boardStream(this.#parts.replica.boardId)
    return html`
      <header>
        <h2 id="event-title">${event.type}</h2>
        <span class="badge" data-status=${status}>${status}</span>
      </header>
      <p class="lead">${status === 'confirmed' ? 'The server has it, too.' : 'On this device only, until the server confirms it.'}
        ${isLeftOut ? 'The history was amended: the board is as if this had not happened.' : nothing}</p>
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
      ${this.#question(event)}
      <footer>
        ${hasPrevious ? html`<button type="button" @click=${() => this.#showPrevious(event)}>Go to the event before</button>` : nothing}
        <button type="button" @click=${() => this.#prove(eventId)}>Download a proof</button>
        ${writtenText(event) === null ? nothing : html`<button type="button" class="danger" @click=${() => this.#ask(event, 'erase')}>Erase what it says</button>`}
        ${canLeaveOut ? html`<button type="button" @click=${() => this.#ask(event, 'leave out')}>Leave it out of history</button>` : nothing}
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
    if (this.#asking === null) return nothing
    const [text, doIt] =
      this.#asking === 'erase'
        ? [
            'What this event says will be gone for good, here, on the server and on every other device. Its place in the history and its seal stay.',
            html`<button type="button" class="danger" @click=${() => this.#erase(event)}>Erase it everywhere</button>`,
          ]
        : [
            'The board will be as if this had not happened, here and on every other device. What was recorded stays as it is, with its seal: that it is left out is written behind it.',
            html`<button type="button" class="primary" @click=${() => this.#leaveOut(event)}>Amend the history</button>`,
          ]
    return html`
      <div class="question" role="alert">
        <p>${text}</p>
        ${doIt}
        <button type="button" @click=${() => this.#ask(event, null)}>Keep it</button>
      </div>
    `
  }

  #ask(event: AnyEvent, asking: 'erase' | 'leave out' | null): void {
    this.#asking = asking
    this.#show(event)
  }

  async #leaveOut({ metadata: { streamName, eventId } }: AnyEvent): Promise<void> {
    const { store, notices } = this.#parts
    this.#dialog.close()
    try {
      const reason = 'Left out by hand'
      await store.amendStream(streamName, [{ kind: 'remove', eventId }], { reason })
      notices.show({
        kind: 'news',
        text: 'The history was amended',
        detail: 'The board is folded without this event. Nothing that was recorded has changed.',
      })
    } catch (error) {
      notices.error(error)
    }
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
