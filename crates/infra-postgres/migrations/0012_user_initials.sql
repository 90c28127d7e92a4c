-- Users by the first character of their address and of their name, in the order of lists: a search for a common prefix
-- reads these indexes up to the end of its page. It only adds. While the indexes are built, users can be read, not written.

CREATE INDEX users_by_email_initial ON users (left(email, 1), created_at, id);
CREATE INDEX users_by_name_initial ON users (left(name_key, 1), created_at, id);
