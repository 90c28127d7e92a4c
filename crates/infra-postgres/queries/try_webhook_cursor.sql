SELECT position FROM webhook_cursor WHERE id = 1 FOR UPDATE SKIP LOCKED
