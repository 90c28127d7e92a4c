-- Attributes of a user that only administrators and programs change. It only adds: the previous release inserts users
-- without them.

ALTER TABLE users ADD COLUMN app_attributes TEXT NOT NULL DEFAULT '{}';
