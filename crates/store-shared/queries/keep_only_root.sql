-- Without the one to keep, nothing goes: the last copy of the root key must not.
DELETE FROM root_keys
WHERE master_id <> $1
    AND EXISTS (SELECT 1 FROM root_keys WHERE master_id = $1)
