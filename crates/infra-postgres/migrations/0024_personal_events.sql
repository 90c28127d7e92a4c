-- Personal data of records can be erased: a record authenticates digests of it. It only adds: the previous release
-- writes records of the earlier form.

-- Without CHECK constraints, which would read all rows.
ALTER TABLE events
-- 2: a record of an earlier form, whose personal data cannot be erased. 3: a record that authenticates digests.
ADD COLUMN form bigint NOT NULL DEFAULT 2,
-- The digest of the address and the user agent, if they were erased.
ADD COLUMN erased_origin bytea,
-- The digest of the personal data, if it was erased.
ADD COLUMN erased_data bytea;

-- Deleted users whose records still contain personal data.
CREATE INDEX events_by_deletion ON events (occurred_at, position)
WHERE type = 'user.deleted' AND form = 3 AND erased_data IS NULL;
