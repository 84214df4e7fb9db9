// The board's past: its stream read once, folded event by event, and shown as a film that can be held and wound.

import { html, nothing, render } from 'lit'
import type { RecordedEvent } from 'streamdingo'
import { type Board, type BoardEvent, boardStream, emptyBoard, evolveBoard } from '../domain/board.ts'
import type { Parts } from '../parts.ts'
import { eventInWords } from '../words.ts'

/** The whole film takes about so long, but no event less than a frame or more than a second. */
const FILM_MS = 6_000

type Film = Readonly<{ events: readonly RecordedEvent<BoardEvent>[]; boards: readonly Board[] }>

export class Replay {
  readonly #parts: Parts
  readonly #host: HTMLElement
  readonly #onChange: () => void
  #film: Film | null = null
  /** How many events of the film have happened. */
  #at = 0
  #timer: ReturnType<typeof setInterval> | undefined

  /** `onChange` is called whenever {@link board} is another one. */
  constructor(host: HTMLElement, parts: Parts, onChange: () => void) {
    this.#host = host
    this.#parts = parts
    this.#onChange = onChange
    this.#draw()
  }

  /** The board of the past that is shown; null in the present. */
  board(): Board | null {
    return this.#film?.boards[this.#at] ?? null
  }

  async #open(): Promise<void> {
    const { store, replica, notices } = this.#parts
    try {
      const { events } = await store.readStream<BoardEvent>(boardStream(replica.boardId))
      const boards = [emptyBoard()]
      for (const event of events) boards.push(evolveBoard(boards.at(-1)!, event))
      this.#film = { events, boards }
      this.#play()
    } catch (error) {
      notices.error(error)
    }
  }

  #play(): void {
    if (!this.#film) return
    const { length } = this.#film.events
    if (this.#at >= length) this.#at = 0
    const stepMs = Math.min(1_000, Math.max(16, FILM_MS / Math.max(1, length)))
    this.#timer = setInterval(() => this.#wind(this.#at + 1), stepMs)
    this.#wind(this.#at)
  }

  #pause(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#draw()
  }

  #wind(at: number): void {
    this.#at = at
    if (this.#film && at >= this.#film.events.length) this.#pause()
    this.#draw()
    this.#onChange()
  }

  #close(): void {
    this.#pause()
    this.#film = null
    this.#at = 0
    this.#draw()
    this.#onChange()
  }

  #draw(): void {
    render(this.#film ? this.#controls(this.#film) : this.#opener(), this.#host)
  }

  #opener() {
    return html`<button type="button" class="quiet" @click=${() => this.#open()}>▷ Replay its history</button>`
  }

  #controls({ events, boards }: Film) {
    const event = events[this.#at - 1]
    const isPlaying = this.#timer !== undefined
    const onInput = (input: Event): void => {
      this.#pause()
      this.#wind(Number((input.target as HTMLInputElement).value))
    }
    return html`
      <button type="button" class="icon" aria-label=${isPlaying ? 'Pause' : 'Play'} @click=${() => (isPlaying ? this.#pause() : this.#play())}>${isPlaying ? '❚❚' : '▶'}</button>
      <input type="range" min="0" max=${events.length} .value=${String(this.#at)} aria-label="Event of the board’s history" @input=${onInput} />
      <span class="film-event"><b>${this.#at}/${events.length}</b> ${event ? html`${event.type} <span>${eventInWords(event, boards[this.#at])}</span>` : nothing}</span>
      <button type="button" @click=${() => this.#close()}>Back to now</button>
    `
  }
}
