-- Nodes are notified of a change when its events get their positions, not with the commit of the change: commits that
-- notify follow each other, one wait for the disk after the other. The release before runs on it. What that release gives
-- positions to is noticed by other nodes when their read cache expires, after four seconds.

-- What nodes remove from their read caches: on the first event of a transaction that changed something they hold.
ALTER TABLE pending_events ADD COLUMN changes text;

-- Adds pending events. `events` is a JSON array of arrays. A function, so that a transaction can send its last statement
-- together with its COMMIT and the statement is still planned once for each connection. A release that needs other
-- arguments adds a function of its own.
CREATE FUNCTION record_events(events text, changes text) RETURNS void LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    INSERT INTO pending_events (
        id, type, subject, actor_type, actor_id, credential_type, credential_id, address, user_agent, occurred_at,
        data, changes
    )
    SELECT
        (value ->> 1)::uuid,
        value ->> 2,
        value ->> 3,
        value ->> 4,
        (value ->> 5)::uuid,
        value ->> 6,
        (value ->> 7)::uuid,
        value ->> 8,
        value ->> 9,
        (value ->> 10)::bigint,
        value ->> 11,
        CASE WHEN at = 1 THEN record_events.changes END
    FROM jsonb_array_elements(record_events.events::jsonb) WITH ORDINALITY AS rows (value, at)
    ORDER BY at;
END
$$;

-- The place of a moment is found by halving the log. The release before searches for it without an index meanwhile.
DROP INDEX events_by_time;
