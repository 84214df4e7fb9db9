// The tables: one row an event with the exact bytes that are hashed, and the payload as jsonb for SQL to look at.

/**
 * Each migration runs once, in order, in one transaction. `$schema` stands for the quoted schema name.
 *
 * Names are compared by code point ("C"), so that an index survives an update of the operating system's locales.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE $schema.streamdingo_heads (
    store_id text COLLATE "C" PRIMARY KEY,
    head bigint NOT NULL
  );
  CREATE TABLE $schema.streamdingo_entries (
    store_id text COLLATE "C" NOT NULL,
    position bigint NOT NULL,
    kind smallint NOT NULL,
    stream_name text COLLATE "C" NOT NULL,
    stream_version bigint NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    recorded_at bigint NOT NULL,
    event_id uuid NOT NULL,
    salt bytea NOT NULL,
    type text COLLATE "C" NOT NULL,
    schema_version integer NOT NULL,
    payload bytea NOT NULL,
    metadata bytea NOT NULL,
    payload_json jsonb,
    ends_commit boolean NOT NULL,
    note text,
    PRIMARY KEY (store_id, position)
  );
  CREATE INDEX streamdingo_entries_stream ON $schema.streamdingo_entries (store_id, stream_name, stream_version);
  CREATE INDEX streamdingo_entries_event ON $schema.streamdingo_entries (store_id, event_id);
  -- A key may be longer than the 2,704 bytes that a btree takes: so its digest is unique, and its start is searched.
  CREATE TABLE $schema.streamdingo_values (
    store_id text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    key_digest bytea NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (store_id, key_digest)
  );
  CREATE INDEX streamdingo_values_start ON $schema.streamdingo_values (store_id, left(key, 256));
  `,
]

export const MIGRATIONS_TABLE = '$schema.streamdingo_migrations'

export const CREATE_SCHEMA = 'CREATE SCHEMA $schema'

export const CREATE_MIGRATIONS_TABLE = `
  CREATE TABLE IF NOT EXISTS ${MIGRATIONS_TABLE} (
    version integer PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
  )`

/** Both take quoted names. */
export const HAS_SCHEMA = 'SELECT to_regnamespace($1) IS NOT NULL AS has'
export const HAS_TABLE = 'SELECT to_regclass($1) IS NOT NULL AS has'

export const READ_MIGRATED = `SELECT coalesce(max(version), 0)::int AS version FROM ${MIGRATIONS_TABLE}`

export const ADD_MIGRATION = `INSERT INTO ${MIGRATIONS_TABLE} (version) VALUES ($1)`
