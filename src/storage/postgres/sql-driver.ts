// The seam between the provider and the two ways to reach PostgreSQL.

export type SqlValue = string | number | Uint8Array | null | readonly (string | number | null)[]

export type Query = <Row>(sql: string, parameters?: readonly SqlValue[]) => Promise<Row[]>

export interface SqlDriver {
  readonly isDurable: boolean
  readonly query: Query
  /** Commits when `work` resolves, rolls back when it rejects. */
  transaction<T>(work: (query: Query) => Promise<T>): Promise<T>
  close(): Promise<void>
}
