CREATE TABLE notes (
    id UUID PRIMARY KEY,
    -- The `sub` of the token. There is no table of users: they belong to Denizen.
    owner_id UUID NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL
);

-- Pages of one owner, newest first: ids are ordered by time.
CREATE INDEX notes_by_owner ON notes (owner_id, id);
