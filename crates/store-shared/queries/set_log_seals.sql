UPDATE event_log
SET keyed_position = $1,
    keyed_hash = $2,
    keyed_seal = $3,
    floor_seal = $4
WHERE id = 1
