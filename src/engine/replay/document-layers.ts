// All documents of a fold over all streams: those of confirmed events, what is pending above them, and which of them
// changed since anybody was told.

import type { GlobalPosition } from '../../log/event.ts'
import { DocumentLayer, documentIn } from './document-layer.ts'
import type { OlderDocuments } from './older-documents.ts'
import type { ProjectionDocument } from './projection-documents.ts'
import type { FoldSnapshot } from './snapshot-record.ts'

export class DocumentLayers {
  /** Confirmed events alone: no rebase reaches here. */
  readonly base = new DocumentLayer()
  readonly latest = new DocumentLayer(this.base)
  readonly touched = new Set<string>()

  /** Null for one into which nothing was folded. */
  document(documentId: string): ProjectionDocument | null {
    return documentIn(this.latest, this.base, documentId)
  }

  copy(): OlderDocuments {
    return { latest: this.latest.copy(), base: this.base.copy() }
  }

  /** What is not confirmed. */
  takeBackPending(): void {
    this.#touchAllOf(this.latest)
    this.latest.drop()
  }

  takeBackAll(): void {
    this.takeBackPending()
    this.#touchAllOf(this.base)
    this.base.drop()
    this.latest.drop()
  }

  /**
   * To be called where there is nothing, or nothing behind the snapshot.
   *
   * @param confirmed the newest one of confirmed events alone, where the newest has others in it
   */
  standOn(newest: FoldSnapshot, confirmed: FoldSnapshot | null, confirmedThrough: GlobalPosition): void {
    if (newest.position > confirmedThrough) {
      if (confirmed) this.base.restore(confirmed)
      this.latest.restore(newest)
    } else {
      this.base.restore(newest)
      this.latest.drop()
    }
  }

  /** All of it is confirmed. */
  mergeDown(): void {
    for (const id of this.latest.ownIds()) {
      if (this.base.get(id)?.count !== this.latest.get(id)!.count) this.touched.add(id)
    }
    this.latest.mergeDown()
  }

  takeTouched(): readonly string[] {
    const touched = [...this.touched]
    this.touched.clear()
    return touched
  }

  #touchAllOf(layer: DocumentLayer): void {
    for (const id of layer.ownIds()) this.touched.add(id)
  }
}
