// Events that do not count any more, as the board's history was amended.

import type { RecordedAmendment } from 'streamdingo'
import { Cell } from '../cell.ts'
import { boardStream } from '../domain/board.ts'
import type { Parts } from '../parts.ts'

/** Their ids. Follows the store: what another device amended comes with sync. */
export class LeftOut extends Cell<ReadonlySet<string>> {
  constructor({ store, page, notices, replica }: Pick<Parts, 'store' | 'page' | 'notices' | 'replica'>) {
    super(new Set())
    const read = () =>
      store
        .amendments(boardStream(replica.boardId))
        .then(amendments => this.set(idsLeftOutBy(amendments)))
        .catch(error => notices.error(error))
    page.subscribe(read)
    void read()
  }
}

function idsLeftOutBy(amendments: readonly RecordedAmendment[]): ReadonlySet<string> {
  const changes = amendments.flatMap(amendment => amendment.changes)
  return new Set(changes.filter(({ kind }) => kind === 'remove').map(({ eventId }) => eventId))
}
