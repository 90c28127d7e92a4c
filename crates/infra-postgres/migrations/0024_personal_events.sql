-- Personal data of records can be erased: a record authenticates digests of it. It only adds: the previous release
-- writes records of the earlier form.

-- 2: a record of an earlier form, whose personal data cannot be erased. 3: a record that authenticates digests.
ALTER TABLE events ADD COLUMN form bigint NOT NULL DEFAULT 2 CHECK (form IN (2, 3));
-- The digest of the address and the user agent, if they were erased.
ALTER TABLE events ADD COLUMN erased_origin bytea CHECK (octet_length(erased_origin) = 32);
-- The digest of the personal data, if it was erased.
ALTER TABLE events ADD COLUMN erased_data bytea CHECK (octet_length(erased_data) = 32);

-- Deleted users whose records still contain personal data.
CREATE INDEX events_by_deletion ON events (occurred_at, position)
WHERE type = 'user.deleted' AND form = 3 AND erased_data IS NULL;
