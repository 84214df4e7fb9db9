// What the two sides tell each other of themselves, so that neither has to guess.

import { type Fields, fieldsOf, MalformedMessage, position } from './untrusted-json.ts'

/** The version that this release speaks: it stands at the beginning of each path. */
export const PROTOCOL_VERSION = 1
/** Those that a server of this release answers, the oldest first. */
export const SERVED_VERSIONS: readonly number[] = [PROTOCOL_VERSION]
/** What a server of this release does beyond what the first ones of its version did, by name. */
export const FEATURES: readonly string[] = ['streams']

/** The code of the failure that answers a version which is not served; `facts.versions` are those that are. */
export const UNSUPPORTED_PROTOCOL = 'unsupported-protocol'

/** What a server says of itself to anybody, without a token. */
export type ServerVersions = Readonly<{
  versions: readonly number[]
  features: readonly string[]
  limits: Readonly<{ maxPushBytes: number; maxPullBytes: number }>
}>

/** Of a page: null from servers of the first releases, which do not say. @throws {@link MalformedMessage} */
export const limitIn = (fields: Fields, name: string): number | null =>
  fields[name] === undefined || fields[name] === null ? null : position(fields, name)

/** Names that are not known here are kept: they mean nothing. @throws {@link MalformedMessage} */
export function featuresIn(fields: Fields): readonly string[] {
  const { features = [] } = fields
  const isList = Array.isArray(features) && features.every(name => typeof name === 'string')
  if (isList && features.length <= MAX_FEATURES) return features as string[]
  throw new MalformedMessage('unexpected', `features must be a list of at most ${MAX_FEATURES} names`)
}

const MAX_FEATURES = 100

/** @throws {@link MalformedMessage} */
export function decodeVersions(json: unknown): ServerVersions {
  const fields = fieldsOf(json)
  const limits = fieldsOf(fields['limits'])
  const versions = versionsIn(fields)
  if (versions === null) throw new MalformedMessage('unexpected', 'versions must be a list of whole numbers')
  return {
    versions,
    features: featuresIn(fields),
    limits: {
      maxPushBytes: position(limits, 'maxPushBytes'),
      maxPullBytes: position(limits, 'maxPullBytes'),
    },
  }
}

/** Null where there are none, or none that could be versions. */
export function versionsIn({ versions }: Fields): readonly number[] | null {
  const isList = Array.isArray(versions) && versions.length > 0 && versions.every(Number.isSafeInteger)
  return isList ? (versions as number[]) : null
}
