-- The distinct values, each by one look-up in the index.
WITH RECURSIVE ids (rp_id) AS (
    SELECT min(rp_id) FROM passkeys
    UNION ALL
    SELECT (SELECT min(passkeys.rp_id) FROM passkeys WHERE passkeys.rp_id > ids.rp_id)
    FROM ids
    WHERE ids.rp_id IS NOT NULL
)
SELECT rp_id AS "rp_id!: String"
FROM ids
WHERE rp_id IS NOT NULL
