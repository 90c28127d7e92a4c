-- Users by the first character of their address and of their name, in the order of lists: a search for a common prefix
-- reads this table up to the end of its page. It only adds: the triggers maintain the table for the release before, too.
-- The migration reads every user once and sorts two short rows for each.

CREATE TABLE user_initials (
    initial TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    id BLOB NOT NULL,
    PRIMARY KEY (initial, created_at, id)
) STRICT, WITHOUT ROWID;

INSERT INTO user_initials (initial, created_at, id)
SELECT substr(email, 1, 1), created_at, id FROM users
UNION
SELECT substr(name_key, 1, 1), created_at, id FROM users
ORDER BY 1, 2, 3;

CREATE TRIGGER user_initials_of_inserted AFTER INSERT ON users
BEGIN
    INSERT INTO user_initials (initial, created_at, id)
    VALUES (substr(NEW.email, 1, 1), NEW.created_at, NEW.id);
    INSERT INTO user_initials (initial, created_at, id)
    SELECT substr(NEW.name_key, 1, 1), NEW.created_at, NEW.id
    WHERE substr(NEW.name_key, 1, 1) <> substr(NEW.email, 1, 1);
END;

CREATE TRIGGER user_initials_of_updated AFTER UPDATE OF email, name_key, created_at ON users
WHEN substr(NEW.email, 1, 1) <> substr(OLD.email, 1, 1)
    OR substr(NEW.name_key, 1, 1) <> substr(OLD.name_key, 1, 1)
    OR NEW.created_at <> OLD.created_at
BEGIN
    DELETE FROM user_initials
    WHERE initial IN (substr(OLD.email, 1, 1), substr(OLD.name_key, 1, 1))
        AND created_at = OLD.created_at
        AND id = OLD.id;
    INSERT INTO user_initials (initial, created_at, id)
    VALUES (substr(NEW.email, 1, 1), NEW.created_at, NEW.id);
    INSERT INTO user_initials (initial, created_at, id)
    SELECT substr(NEW.name_key, 1, 1), NEW.created_at, NEW.id
    WHERE substr(NEW.name_key, 1, 1) <> substr(NEW.email, 1, 1);
END;

CREATE TRIGGER user_initials_of_deleted AFTER DELETE ON users
BEGIN
    DELETE FROM user_initials
    WHERE initial IN (substr(OLD.email, 1, 1), substr(OLD.name_key, 1, 1))
        AND created_at = OLD.created_at
        AND id = OLD.id;
END;
