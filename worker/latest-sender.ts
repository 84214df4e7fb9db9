// Sends the newest of something that changes faster than it can be taken: one on its way, never a queue.

/**
 * Returns `mark`: there is something newer. While a `send` is under way, any number of marks lead to one more. After
 * a failure the next mark sends again.
 */
export function createLatestSender(send: () => Promise<unknown>, signal: AbortSignal): () => void {
  let isDirty = false
  let isSending = false
  return () => {
    isDirty = true
    if (!isSending) void sendWhileDirty()
  }

  async function sendWhileDirty(): Promise<void> {
    isSending = true
    try {
      while (isDirty && !signal.aborted) {
        isDirty = false
        await send()
      }
    } finally {
      isSending = false
    }
  }
}
