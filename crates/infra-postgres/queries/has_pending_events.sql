-- $1: a sequence number.
SELECT EXISTS (SELECT 1 FROM pending_events WHERE sequence <= $1) AS "is_pending!"
