-- $1: positions, as a JSON array.
SELECT
    position, id, type AS kind, subject AS about, actor_type AS actor_kind, actor_id,
    credential_type AS credential_kind, credential_id, address, user_agent, occurred_at, data, hash,
    form, erased_origin, erased_data
FROM events
WHERE position IN (SELECT value::bigint FROM json_array_elements_text($1::text::json))
ORDER BY position
