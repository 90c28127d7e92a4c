SELECT EXISTS (SELECT 1 FROM pending_events) AS "is_pending!"
