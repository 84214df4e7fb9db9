// When to show something: in the next frame, or soon where no frames are drawn.

/** About a frame. Browsers stretch it to a second in hidden pages. */
const HIDDEN_MS = 16
/** A page that gets hidden has its frame called only when it is shown again. */
const LOST_FRAME_MS = 250

/** Resolves in the next frame; by a timer where the page is hidden or has no frames at all. */
export function nextFrame(): Promise<void> {
  return new Promise(resolve => {
    if (typeof requestAnimationFrame !== 'function' || isHidden()) {
      setTimeout(resolve, HIDDEN_MS)
      return
    }
    const fallback = setTimeout(resolve, LOST_FRAME_MS)
    requestAnimationFrame(() => {
      clearTimeout(fallback)
      resolve()
    })
  })
}

function isHidden(): boolean {
  return typeof document !== 'undefined' && document.hidden
}
