// The schema: one row an event, with the exact bytes that are hashed, and the payload as jsonb for SQL to look at.

/** Each migration runs once, in order, in one transaction. `$schema` stands for the quoted schema name. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE $schema.streamdingo_heads (
    store_id text PRIMARY KEY,
    head bigint NOT NULL
  );
  CREATE TABLE $schema.streamdingo_entries (
    store_id text NOT NULL,
    position bigint NOT NULL,
    kind smallint NOT NULL,
    stream_name text NOT NULL,
    stream_version bigint NOT NULL,
    previous bytea NOT NULL,
    hash bytea NOT NULL,
    recorded_at bigint NOT NULL,
    event_id uuid NOT NULL,
    salt bytea NOT NULL,
    type text NOT NULL,
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
  CREATE TABLE $schema.streamdingo_values (
    store_id text NOT NULL,
    key text COLLATE "C" NOT NULL,
    value bytea NOT NULL,
    PRIMARY KEY (store_id, key)
  );
  `,
]

export const CREATE_VERSIONS =
  'CREATE TABLE IF NOT EXISTS $schema.streamdingo_migrations (version integer PRIMARY KEY, applied_at timestamptz NOT NULL DEFAULT now())'

export const ADD_STORE =
  'INSERT INTO $schema.streamdingo_heads (store_id, head) VALUES ($1, 0) ON CONFLICT (store_id) DO NOTHING'

export const READ_HEAD = 'SELECT head::float8 AS head FROM $schema.streamdingo_heads WHERE store_id = $1'

/** The compare-and-set: no row means that somebody else moved the head. Waits for a writer that is about to. */
export const MOVE_HEAD =
  'UPDATE $schema.streamdingo_heads SET head = $3 WHERE store_id = $1 AND head = $2 RETURNING head::float8 AS head'

/**
 * Columns of one width come packed into one value each, payloads and metadata with their ends: two round trips a
 * commit, however many events it has.
 */
export const INSERT_ENTRIES = `
  INSERT INTO $schema.streamdingo_entries (
    store_id, position, kind, stream_name, stream_version, previous, hash, recorded_at, event_id, salt,
    type, schema_version, payload, metadata, payload_json, ends_commit, note
  )
  SELECT
    $1, $2::bigint + n, kind, stream_name, stream_version,
    substring($3::bytea FROM (n * 32 - 31)::int FOR 32),
    substring($4::bytea FROM (n * 32 - 31)::int FOR 32),
    recorded_at,
    encode(substring($5::bytea FROM (n * 16 - 15)::int FOR 16), 'hex')::uuid,
    substring($6::bytea FROM (n * 16 - 15)::int FOR 16),
    type, schema_version,
    payload,
    substring($8::bytea FROM metadata_start FOR metadata_length),
    CASE WHEN is_json = 1 THEN convert_from(payload, 'UTF8')::jsonb END,
    ends_commit = 1,
    note
  FROM (
    SELECT *, substring($7::bytea FROM payload_start FOR payload_length) AS payload
    FROM unnest(
      $9::smallint[], $10::text[], $11::bigint[], $12::bigint[], $13::text[], $14::integer[],
      $15::integer[], $16::integer[], $17::integer[], $18::integer[], $19::smallint[], $20::smallint[], $21::text[]
    ) WITH ORDINALITY AS entry (
      kind, stream_name, stream_version, recorded_at, type, schema_version,
      payload_start, payload_length, metadata_start, metadata_length, is_json, ends_commit, note, n
    )
  ) AS entry`

export const READ_ENTRIES = `
  SELECT
    position::float8 AS position, kind, stream_name AS "streamName", stream_version::float8 AS "streamVersion",
    previous, hash, recorded_at::float8 AS "recordedAt", uuid_send(event_id) AS "eventId", salt,
    type, schema_version AS "schemaVersion", payload, metadata, ends_commit AS "endsCommit", note
  FROM $schema.streamdingo_entries
  WHERE store_id = $1 AND position >= $2 AND position <= $3
  ORDER BY position
  LIMIT $4`

export const READ_VALUE = 'SELECT value FROM $schema.streamdingo_values WHERE store_id = $1 AND key = $2'

export const LIST_VALUES = `
  SELECT key, value FROM $schema.streamdingo_values
  WHERE store_id = $1 AND starts_with(key, $2)
  ORDER BY key`

export const PUT_VALUE = `
  INSERT INTO $schema.streamdingo_values (store_id, key, value) VALUES ($1, $2, $3)
  ON CONFLICT (store_id, key) DO UPDATE SET value = excluded.value`

export const DELETE_VALUE = 'DELETE FROM $schema.streamdingo_values WHERE store_id = $1 AND key = $2'
