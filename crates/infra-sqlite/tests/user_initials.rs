//! The migration that adds `user_initials`, on a database with users that an earlier release wrote.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use rusqlite::Connection;

const EARLIER: &[&str] = &[
    include_str!("../migrations/0001_accounts.sql"),
    include_str!("../migrations/0002_access.sql"),
    include_str!("../migrations/0003_credentials.sql"),
];
const MIGRATION: &str = include_str!("../migrations/0012_user_initials.sql");

/// Adds the `n`th user as the release before does: without `user_initials`.
fn insert(connection: &Connection, n: u8, email: &str, name_key: &str) {
    let sql = "INSERT INTO users (id, email, email_verified, name, name_key, role, status, created_at, updated_at, version, attributes)
               VALUES ($1, $2, 0, $3, $3, 'user', 'active', $4, $4, 1, '{}')";
    connection.execute(sql, (vec![n; 16], email, name_key, n)).unwrap();
}

/// The first characters and the users that have them, in the order of the index.
fn initials(connection: &Connection) -> Vec<(String, u8)> {
    let mut statement = connection.prepare("SELECT initial, created_at FROM user_initials ORDER BY 1, 2").unwrap();
    statement.query_map((), |row| Ok((row.get(0)?, row.get(1)?))).unwrap().collect::<Result<_, _>>().unwrap()
}

#[test]
fn users_of_the_release_before_are_indexed_before_and_after_the_migration() {
    let connection = Connection::open_in_memory().unwrap();
    for migration in EARLIER {
        connection.execute_batch(migration).unwrap();
    }
    insert(&connection, 1, "ada@example.com", "ada");
    insert(&connection, 2, "bob@example.com", "ünal");
    connection.execute_batch(MIGRATION).unwrap();
    let entry = |initial: &str, n| (initial.to_owned(), n);
    assert_eq!(initials(&connection), [entry("a", 1), entry("b", 2), entry("ü", 2)]);

    insert(&connection, 3, "bea@example.com", "ada");
    connection.execute("UPDATE users SET name_key = 'bob' WHERE created_at = 2", ()).unwrap();
    assert_eq!(initials(&connection), [entry("a", 1), entry("a", 3), entry("b", 2), entry("b", 3)]);

    connection.execute("DELETE FROM users WHERE created_at = 3", ()).unwrap();
    assert_eq!(initials(&connection), [entry("a", 1), entry("b", 2)]);
}
