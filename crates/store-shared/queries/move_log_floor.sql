UPDATE event_log
SET floor_position = $1,
    floor_hash = $2,
    floor_seal = $3
WHERE id = 1
