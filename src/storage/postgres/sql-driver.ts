// The seam between the provider and the two ways to reach PostgreSQL.

export type SqlValue = string | number | Uint8Array | null | readonly (string | number | null)[]

/** A bigint column: text from one driver, a number from the other. Give it to `Number`. */
export type SqlBigint = string | number

export type Query = <Row>(sql: string, parameters?: readonly SqlValue[]) => Promise<Row[]>

export interface SqlDriver {
  readonly isDurable: boolean
  readonly isClosed: boolean
  readonly query: Query
  /**
   * Commits when `work` resolves, rolls back when it rejects. A rejection means that nothing was written, with one
   * exception, which says so: the connection broke during the commit, and the server could not be asked after.
   */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>
  /** Safe to call twice. */
  close(): Promise<void>
}
