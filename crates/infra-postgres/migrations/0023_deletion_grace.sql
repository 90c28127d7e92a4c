-- Users who are deleted after a grace period. It only adds: to the previous release they are disabled users.

ALTER TABLE users ADD COLUMN delete_after bigint;
-- The status that a restored user gets again.
ALTER TABLE users ADD COLUMN status_before_deletion text;
-- When a node tries to delete the user: initially `delete_after`, later after a failed attempt.
ALTER TABLE users ADD COLUMN deletion_due_at bigint;

CREATE INDEX users_by_deletion ON users (deletion_due_at) WHERE deletion_due_at IS NOT NULL;
