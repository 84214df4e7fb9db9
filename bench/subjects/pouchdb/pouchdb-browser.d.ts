// What the bench uses of PouchDB: the types that are published for it do not go with newer ones of Node's Buffer.

declare module 'pouchdb-browser' {
  type Options = Readonly<{
    adapter: 'idb'
    auto_compaction: boolean
    revs_limit: number
    deterministic_revs: boolean
  }>

  /** What was written, or what went wrong with it. */
  type Written = Readonly<{ ok: true; id: string; rev: string }> | Readonly<{ error: true; message: string }>

  type Rows<T> = Readonly<{ rows: readonly Readonly<{ id: string; doc: T }>[] }>

  export default class PouchDB<T extends object> {
    constructor(name: string, options: Options)
    info(): Promise<unknown>
    bulkDocs(documents: readonly (T & { _id: string })[]): Promise<readonly Written[]>
    allDocs(options: Readonly<{ include_docs: true }>): Promise<Rows<T>>
    close(): Promise<void>
  }
}
