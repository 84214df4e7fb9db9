// The epoch that every message names.

import { type Fields, MalformedMessage, text } from './untrusted-json.ts'

/** Never empty: that is how a replica says that it knows no server yet. @throws {@link MalformedMessage} */
export function epochIn(fields: Fields): string {
  const epoch = text(fields, 'epoch')
  if (epoch !== '') return epoch
  throw new MalformedMessage('unexpected', 'epoch must not be empty')
}
