// The order of a stream as a list: events are taken out of it and put in. Slow, and easy to believe.

export type ListChange<T> =
  | Readonly<{ kind: 'insert' | 'move'; item: T; after: T | null }>
  | Readonly<{ kind: 'replace'; item: T; by: T }>
  | Readonly<{ kind: 'remove'; item: T }>

/** Everything that was recorded stands in the list. False for a change without effect. */
export function changeList<T>(list: T[], change: ListChange<T>): boolean {
  const { kind, item } = change
  if (kind !== 'insert' && !list.includes(item)) return false
  if (kind === 'remove') takeOut(list, item)
  else if (kind === 'replace') {
    takeOut(list, change.by)
    list.splice(list.indexOf(item), 1, change.by)
  } else {
    const { after } = change
    if (after === item || (after !== null && !list.includes(after))) return false
    takeOut(list, item)
    list.splice(after === null ? 0 : list.indexOf(after) + 1, 0, item)
  }
  return true
}

function takeOut<T>(list: T[], item: T): void {
  if (list.includes(item)) list.splice(list.indexOf(item), 1)
}
