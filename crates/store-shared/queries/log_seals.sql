SELECT keyed_position, keyed_hash, keyed_seal, floor_seal FROM event_log WHERE id = 1
