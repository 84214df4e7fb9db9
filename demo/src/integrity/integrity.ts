// What the integrity panel is about: whether the history was checked, what was found, and what was forged. Long work
// runs here, one at a time, with progress and a way to stop it.

import type {
  ImportProgress,
  IntegrityStatus,
  Readable,
  RecordedEvent,
  StoreClient,
  VerifyReport,
} from 'streamdingo'
import type { ProofVerdict } from 'streamdingo/integrity'
import { Cell } from '../cell.ts'
import type { DemoApp } from '../domain/app.ts'
import { addManyNotes } from '../domain/many-notes.ts'
import { openBoard } from '../open-board.ts'
import type { Replica } from '../replica.ts'
import { saveFile } from '../save-file.ts'
import type { Notices } from '../status/notices.ts'
import { writtenText } from '../words.ts'
import { type Forgery, forge, undoForgery } from './forgery.ts'
import { checkProof } from './proof.ts'
import { restoreAndReload } from './restore.ts'

export type Work = Readonly<{ name: string; done: number; total: number }>

export type IntegrityState = Readonly<{
  work: Work | null
  report: VerifyReport | null
  /** What was found then stands as it was again. */
  isHealed: boolean
  /** How long the check took. */
  tookMs: number
  forgery: Forgery | null
  /** A saved history that somebody has picked, and may still leave. */
  chosen: File | null
  /** What came of a proof that was given to check. */
  proof: ProofVerdict | null
}>

type IntegrityParts = Readonly<{ store: StoreClient<DemoApp>; replica: Replica; notices: Notices }>

const MANY = 10_000
/** Forging picks among so many of the latest events. */
const RECENT = 60

export class Integrity implements Readable<IntegrityState> {
  readonly #parts: IntegrityParts
  readonly #state: Cell<IntegrityState>
  readonly #forgeryKey: string
  #working = new AbortController()
  /** When the store last put something right. */
  #healedAt = Date.now()
  readonly getSnapshot: () => IntegrityState
  readonly subscribe: (listener: () => void) => () => void

  constructor(parts: IntegrityParts) {
    this.#parts = parts
    this.#forgeryKey = `${parts.replica.database}/forgery`
    // A reload must not lose the way back.
    const forgery = JSON.parse(localStorage.getItem(this.#forgeryKey) ?? 'null')
    this.#state = new Cell<IntegrityState>({
      work: null,
      report: null,
      isHealed: false,
      tookMs: 0,
      forgery,
      chosen: null,
      proof: null,
    })
    this.getSnapshot = this.#state.getSnapshot
    this.subscribe = this.#state.subscribe
    const status = parts.store.integrity()
    status.subscribe(() => this.#lookForHealed(status.getSnapshot()))
  }

  check(): Promise<void> {
    return this.#run('Checking', async onProgress => {
      const startedAt = performance.now()
      this.#change({ report: null, isHealed: false })
      const report = await this.#parts.store.verify({
        onProgress: ({ verified, total }) => onProgress(verified, total),
        signal: this.#working.signal,
      })
      this.#change({ report, tookMs: performance.now() - startedAt })
    })
  }

  addMany(): Promise<void> {
    const { store, replica } = this.#parts
    return this.#run('Adding', async onProgress => {
      this.#change({ report: null })
      await addManyNotes(store, replica.boardId, MANY, { onProgress, signal: this.#working.signal })
    })
  }

  /** Ends the long work at its next step. */
  cancel(): void {
    this.#working.abort()
  }

  /** Without an event, one that has others before and behind it. */
  forge(event?: RecordedEvent): Promise<void> {
    return this.#run('Forging', async () => {
      if (this.getSnapshot().forgery) throw new Error('Put the last forgery right first')
      const chosen = event ?? (await this.#eventToForge())
      const words = chosen && writtenText(chosen)
      if (!chosen || !words) throw new Error('There is no event with words in it to forge yet')
      const { globalPosition: position } = chosen.metadata
      this.#remember(await forge(this.#parts.replica.database, { position, ...words }))
    })
  }

  putRight(): Promise<void> {
    return this.#run('Mending', async () => {
      const { forgery } = this.getSnapshot()
      if (forgery) await undoForgery(this.#parts.replica.database, forgery)
      this.#remember(null)
    })
  }

  /** All of it as one file, which `npx streamdingo verify` checks. */
  saveHistory(): Promise<void> {
    const { store, replica } = this.#parts
    return this.#run('Saving', async onProgress => {
      const file = store.export({ onProgress: ({ exported, total }) => onProgress(exported, total) })
      saveFile(await new Response(file).blob(), `${replica.boardId}.streamdingo`)
    })
  }

  choose(file: File): void {
    this.#change({ chosen: file })
  }

  leave(): void {
    this.#change({ chosen: null })
  }

  /** The page begins anew behind it, also with what there was where the file was not opened. */
  openHistory(file: File): Promise<void> {
    const { store, replica, notices } = this.#parts
    return this.#run('Opening', async onProgress => {
      this.#change({ chosen: null })
      await store.close()
      try {
        const importFrom = {
          file,
          replace: true,
          onProgress: ({ done, total }: ImportProgress) => onProgress(done, total),
          signal: this.#working.signal,
        }
        const opened = await openBoard(replica, { importFrom })
        await opened.close()
        this.#remember(null)
        location.reload()
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error)
        const reload = { label: 'Back to the board', run: () => location.reload() }
        const detail = 'The file was not opened, and nothing was changed.'
        notices.keep({ kind: 'problem', text, detail, actions: [reload] })
      }
    })
  }

  checkProof(file: File): Promise<void> {
    return this.#run('Checking', async () => {
      this.#change({ proof: await checkProof(this.#parts.store, file) })
    })
  }

  /** What somebody does behind the store's back, while it is closed. The page begins anew behind it. */
  async intrude(deed: (database: string) => Promise<void>): Promise<void> {
    const { store, replica } = this.#parts
    await this.#run('Closing', async () => {
      await store.close()
      await deed(replica.database)
      location.reload()
    })
  }

  /** What is forged goes, what the server has comes again. */
  async restore(): Promise<void> {
    await this.#run('Closing', async () => {
      this.#remember(null)
      await this.#parts.store.close()
      restoreAndReload()
    })
  }

  async #run(
    name: string,
    work: (onProgress: (done: number, total: number) => void) => Promise<void>,
  ): Promise<void> {
    if (this.getSnapshot().work) return
    this.#working = new AbortController()
    this.#change({ work: { name, done: 0, total: 0 } })
    try {
      await work((done, total) => this.#change({ work: { name, done, total } }))
    } catch (error) {
      if (!this.#working.signal.aborted) this.#parts.notices.error(error)
    }
    this.#change({ work: null })
  }

  /** What the store has put right by itself is no forgery any more, and nothing to begin anew for. */
  #lookForHealed({ verdicts }: IntegrityStatus): void {
    const { forgery, report } = this.getSnapshot()
    const healedAt = verdicts.findLast(({ action }) => action === 'healed')?.foundAt ?? 0
    if (healedAt <= this.#healedAt) return
    this.#healedAt = healedAt
    if (forgery) this.#remember(null)
    this.#change({ report, isHealed: true })
  }

  async #eventToForge(): Promise<RecordedEvent | undefined> {
    const candidates: RecordedEvent[] = []
    for await (const event of this.#parts.store.readAll({ direction: 'backwards', maxCount: RECENT })) {
      // A pending one would be sent to the server, which refuses it: another story.
      if (writtenText(event) && event.metadata.status === 'confirmed') candidates.push(event)
    }
    return candidates[Math.floor(candidates.length / 2)]
  }

  #remember(forgery: Forgery | null): void {
    if (forgery) localStorage.setItem(this.#forgeryKey, JSON.stringify(forgery))
    else localStorage.removeItem(this.#forgeryKey)
    this.#change({ forgery, report: null })
  }

  #change(change: Partial<IntegrityState>): void {
    this.#state.set({ ...this.getSnapshot(), ...change })
  }
}
