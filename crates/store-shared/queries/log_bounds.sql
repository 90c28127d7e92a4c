SELECT floor_position, floor_hash, head_position, head_hash FROM event_log WHERE id = 1
