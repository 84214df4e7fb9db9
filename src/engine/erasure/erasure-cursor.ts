// How far this replica and the server have told each other of erasures.

import { textOf, utf8 } from '../../log/bytes.ts'
import type { HashProvider } from '../../log/hash-provider.ts'
import type { LogStorage } from '../../storage/log-storage.ts'
import { contentOf, sealedValue } from '../sealed-value.ts'
import type { ErasureList } from './erasure-list.ts'
import type { ErasureRecord } from './erasure-record.ts'

const KEY = 'erasure/cursor'

type Told = Readonly<{
  epoch: string
  /** How many records of the server's list are taken over here. */
  taken: number
  /** How many records of the list here the server need not be told of any more. */
  sent: number
}>

const NOTHING: Told = { epoch: '', taken: 0, sent: 0 }

/** Which keys a device has is nobody else's concern. */
const isErasure = ({ origin }: ErasureRecord): boolean => origin !== 'keys'

export class ErasureCursor {
  readonly #storage: Pick<LogStorage, 'get' | 'put'>
  readonly #list: ErasureList
  readonly #hash: HashProvider
  #told = NOTHING

  constructor(storage: Pick<LogStorage, 'get' | 'put'>, list: ErasureList, hash: HashProvider) {
    this.#storage = storage
    this.#hash = hash
    this.#list = list
  }

  /** Also what another tab wrote since. */
  async load(): Promise<void> {
    const content = await contentOf(await this.#storage.get(KEY), this.#hash)
    // Where it is damaged, both tell each other everything once more.
    this.#told = content ? (JSON.parse(textOf(content)) as Told) : NOTHING
  }

  /** Of the server's list in this epoch. */
  takenOf(epoch: string): number {
    return this.#told.epoch === epoch ? this.#told.taken : 0
  }

  /** Records that the server has to be told of, the oldest first. A server of another epoch knows of none. */
  unsentTo(epoch: string): readonly ErasureRecord[] {
    const isKnown = this.#told.epoch === epoch
    const records = this.#list.records.slice(isKnown ? this.#told.sent : 0).filter(isErasure)
    return isKnown ? records.filter(({ origin }) => origin === 'here') : records
  }

  /** @param taken records of the server's list that are here now */
  async took(epoch: string, taken: number): Promise<void> {
    await this.#write({ epoch, taken, sent: this.#told.epoch === epoch ? this.#told.sent : 0 })
  }

  /** @param number of the last record here that the server was told of */
  async sent(epoch: string, number: number): Promise<void> {
    await this.#write({ epoch, taken: this.takenOf(epoch), sent: number })
  }

  /** The server has lost what it was told. */
  async forget(): Promise<void> {
    await this.#write(NOTHING)
  }

  async #write(told: Told): Promise<void> {
    await this.#storage.put({ [KEY]: await sealedValue(utf8(JSON.stringify(told)), this.#hash) })
    this.#told = told
  }
}
