// Commands that were fine on this device, and that the server's events made impossible. They are said, with the
// reason, until somebody has read them: in this tab or another, now or after a reload.

import type { Rejection } from 'streamdingo'
import type { BoardCommand } from '../domain/board-decider.ts'
import type { Parts } from '../parts.ts'
import { commandInWords } from '../words.ts'

export function showRejections({ store, page, replica, notices }: Parts): void {
  const shown = new Map<string, () => void>()

  const acknowledge = (id: string): void => {
    store.acknowledgeRejection(id).catch(error => notices.error(error))
  }
  const tryAgain = async (id: string, command: BoardCommand): Promise<void> => {
    try {
      await store.execute('board', replica.boardId, command)
    } catch (error) {
      notices.error(error)
    }
    acknowledge(id)
  }

  const show = ({ id, command, amendment, events, reason }: Rejection): void => {
    if (shown.has(id)) return
    const boardCommand = command?.command as BoardCommand | undefined
    const what = boardCommand
      ? commandInWords(boardCommand, page.getSnapshot()?.state.board)
      : amendment
        ? 'amend the history'
        : `${events.length} events`
    const retry = boardCommand && { label: 'Try again', run: () => void tryAgain(id, boardCommand) }
    const close = notices.keep({
      kind: 'problem',
      text: `Could not be kept: ${what}`,
      detail: `${reason.message}. ${causeOf(reason)}`,
      ...(retry && { actions: [retry] }),
      onDismiss: () => acknowledge(id),
    })
    shown.set(id, close)
  }

  const refresh = async (): Promise<void> => {
    const rejections = await store.rejections()
    for (const rejection of rejections) show(rejection)
    const open = new Set(rejections.map(({ id }) => id))
    for (const [id, close] of shown) {
      if (open.has(id)) continue
      close()
      shown.delete(id)
    }
  }

  let known = -1
  const look = (): void => {
    const { rejected } = status.getSnapshot()
    if (rejected === known) return
    known = rejected
    refresh().catch(error => notices.error(error))
  }
  const status = store.sync.status()
  status.subscribe(look)
  look()
}

/** What is known of why: the code says when it was not about what others did. */
function causeOf({ code, refusal }: Rejection['reason']): string {
  if (refusal === 'in-part') return 'A device that has all of it can bring it back.'
  if (refusal !== undefined) return 'The server does not take it.'
  return code === 'log-damaged' || code === 'unknown-event' ? '' : 'It does not fit what the server has.'
}
