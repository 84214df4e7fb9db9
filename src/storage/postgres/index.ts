// The door streamdingo/storage/postgres.

export { type OpenPostgresOptions, openPostgres, type PostgresDatabase } from './open-postgres.ts'
