// The statements of the provider. `$schema` stands for the quoted schema name.

export const ADD_STORE =
  'INSERT INTO $schema.streamdingo_heads (store_id, head) VALUES ($1, 0) ON CONFLICT (store_id) DO NOTHING'

export const READ_HEAD = 'SELECT head FROM $schema.streamdingo_heads WHERE store_id = $1'

/** The compare-and-set: no row means that somebody else moved the head. Waits for a writer that is about to. */
export const MOVE_HEAD =
  'UPDATE $schema.streamdingo_heads SET head = $3 WHERE store_id = $1 AND head = $2 RETURNING head'

/**
 * Columns of one width come packed into one value each, payloads and metadata with their places in one: a statement
 * an append, however many events it has.
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

/** Before they are inserted as they are to be. */
export const DELETE_ENTRIES =
  'DELETE FROM $schema.streamdingo_entries WHERE store_id = $1 AND position BETWEEN $2 AND $3'

/** What an entry takes in a block beside its JSON, roughly. */
export const ENTRY_OVERHEAD_BYTES = 100

/**
 * Positions $2 to $3, at most $4 rows, and none behind the row that passes $5 bytes: a thousand events may be a
 * gigabyte. Sorted by the bare column: by an expression, every page would sort the whole rest of the log.
 */
export const READ_ENTRIES = `
  SELECT
    entry.position, kind, stream_name AS "streamName", stream_version AS "streamVersion", previous, hash,
    recorded_at AS "recordedAt", uuid_send(event_id) AS "eventId", salt, type,
    schema_version AS "schemaVersion", payload, metadata, ends_commit AS "endsCommit", note
  FROM (
    SELECT *, coalesce(sum(octet_length(payload) + octet_length(metadata) + ${ENTRY_OVERHEAD_BYTES}) OVER (
      ORDER BY position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
    ), 0) AS bytes_before
    FROM $schema.streamdingo_entries
    WHERE store_id = $1 AND position >= $2 AND position <= $3
    ORDER BY position
    LIMIT $4
  ) AS entry
  WHERE bytes_before < $5
  ORDER BY entry.position`

export const READ_VALUE = `
  SELECT value FROM $schema.streamdingo_values
  WHERE store_id = $1 AND key_digest = sha256(convert_to($2, 'UTF8'))`

/** The index knows the start of each key only. */
export const LIST_VALUES = `
  SELECT key, value FROM $schema.streamdingo_values
  WHERE store_id = $1 AND starts_with(left(key, 256), left($2, 256)) AND starts_with(key, $2)`

export const LIST_KEYS = `
  SELECT key FROM $schema.streamdingo_values
  WHERE store_id = $1 AND starts_with(left(key, 256), left($2, 256)) AND starts_with(key, $2)`

/** Values packed into one, as with entries. */
export const PUT_VALUES = `
  INSERT INTO $schema.streamdingo_values (store_id, key, key_digest, value)
  SELECT $1, key, sha256(convert_to(key, 'UTF8')), substring($2::bytea FROM start FOR length)
  FROM unnest($3::text[], $4::integer[], $5::integer[]) AS entry (key, start, length)
  ON CONFLICT (store_id, key_digest) DO UPDATE SET value = excluded.value`

export const DELETE_VALUES = `
  DELETE FROM $schema.streamdingo_values
  WHERE store_id = $1 AND key_digest IN (SELECT sha256(convert_to(key, 'UTF8')) FROM unnest($2::text[]) AS key)`

/** One of three, by what is expected and what shall be; no row means that it was not as expected. */
export const ADD_VALUE = `
  INSERT INTO $schema.streamdingo_values (store_id, key, key_digest, value)
  VALUES ($1, $2::text, sha256(convert_to($2, 'UTF8')), $3::bytea)
  ON CONFLICT (store_id, key_digest) DO NOTHING
  RETURNING key`

export const CHANGE_VALUE = `
  UPDATE $schema.streamdingo_values SET value = $4::bytea
  WHERE store_id = $1 AND key_digest = sha256(convert_to($2, 'UTF8')) AND value = $3::bytea
  RETURNING key`

export const REMOVE_VALUE = `
  DELETE FROM $schema.streamdingo_values
  WHERE store_id = $1 AND key_digest = sha256(convert_to($2, 'UTF8')) AND value = $3::bytea
  RETURNING key`

/** Whether a transaction was committed, asked by whoever lost the connection before the answer came. */
export const READ_TRANSACTION_STATUS = 'SELECT pg_xact_status($1::xid8) AS status'
