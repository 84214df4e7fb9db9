// The hash of a projection's state: SHA-256 over canonical JSON (RFC 8785), so that replicas can compare.

import canonicalize from 'canonicalize'
import { hexOf, utf8 } from '../log/bytes.ts'
import type { Hash } from '../log/event.ts'
import type { HashProvider } from '../log/hash-provider.ts'
import { jsonTextOf } from '../log/json-text.ts'

/**
 * @throws `InvalidEvent` with the path of what JSON cannot carry. The check comes first, since
 * `canonicalize` would turn a `Map` into `{}` without a word.
 */
export function stateHashOf(state: unknown, hash: HashProvider): Hash {
  jsonTextOf(state, 'state')
  return hexOf(hash.digest(utf8(canonicalize(state) as string))) as Hash
}
