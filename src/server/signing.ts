// In whose name a server signs: the checkpoints of its logs, and as a witness those of devices.

import type { KeyPair } from '../integrity/ed25519.ts'
import { createCosigner, createNoteSigner, type NoteSigner } from '../integrity/note-key.ts'

export type ServerSigning = Readonly<{
  /** Of the server, as an address without a scheme, such as `sync.example.org`: no spaces, no plus. */
  name: string
  keyPair: KeyPair
}>

/** A log is another one when its epoch is. */
export function logSignerOf(
  { name, keyPair }: ServerSigning,
  storeId: string,
  epoch: string,
): Promise<NoteSigner> {
  return createNoteSigner(`${name}/${encodeURIComponent(storeId)}/${epoch}`, keyPair)
}

/** What is signed as a witness says so itself, so that one key may do for both. */
export function witnessOf({ name, keyPair }: ServerSigning): Promise<NoteSigner> {
  return createCosigner(`${name}/witness`, keyPair)
}
