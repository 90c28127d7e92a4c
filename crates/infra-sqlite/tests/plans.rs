//! What SQLite does for the queries on users: it goes by an index and never reads the whole table.

use denizen_infra_sqlite::{SqliteOptions, migrate};
use rusqlite::Connection;
use tempfile::TempDir;

/// What a query may do to `users`.
struct Check {
    name: &'static str,
    sql: &'static str,
    /// Steps that the plan must have.
    steps: &'static [&'static str],
}

macro_rules! check {
    ($name:literal: $($step:literal),+) => {
        Check { name: $name, sql: include_str!(concat!("../queries/", $name, ".sql")), steps: &[$($step),+] }
    };
}

const CHECKS: &[Check] = &[
    check!("find_user": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("find_user_by_email": "SEARCH users USING INDEX users_by_email (email=?)"),
    check!("find_password": "SEARCH passwords USING PRIMARY KEY (user_id=?)"),
    check!("session_state": "SEARCH sessions USING PRIMARY KEY (id=?)",
        "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("has_other_active_admin": "SEARCH users USING COVERING INDEX users_by_role_status (role=? AND status=?)"),
    check!("list_users": "SEARCH users USING INDEX users_by_created (created_at>? AND (created_at,id)<(?,?))"),
    check!("list_users_by_role": "SEARCH users USING INDEX users_by_role (role=? AND created_at>? AND (created_at,id)<(?,?))"),
    check!("list_users_by_status": "SEARCH users USING INDEX users_by_status (status=? AND created_at>? AND (created_at,id)<(?,?))"),
    check!("list_users_by_role_status":
        "SEARCH users USING INDEX users_by_role_status (role=? AND status=? AND created_at>? AND (created_at,id)<(?,?))"),
    check!("list_users_by_email": "SEARCH users USING INDEX users_by_email (email=?)"),
    check!("list_users_by_prefix": "SEARCH users USING INDEX users_by_email (email>? AND email<?)",
        "SEARCH users USING INDEX users_by_name (name_key>? AND name_key<?)",
        "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("count_users": "SEARCH users USING COVERING INDEX users_by_created (created_at>?)"),
    check!("count_users_by_role": "SEARCH users USING COVERING INDEX users_by_role (role=? AND created_at>?)"),
    check!("count_users_by_status": "SEARCH users USING COVERING INDEX users_by_status (status=? AND created_at>?)"),
    check!("count_users_by_role_status":
        "SEARCH users USING COVERING INDEX users_by_role_status (role=? AND status=? AND created_at>?)"),
    check!("count_users_by_email": "SEARCH users USING INDEX users_by_email (email=?)"),
    check!("count_users_by_prefix": "SEARCH users USING INDEX users_by_email (email>? AND email<?)",
        "SEARCH users USING INDEX users_by_name (name_key>? AND name_key<?)"),
];

#[tokio::test]
async fn no_query_reads_the_whole_users_table() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("plans.db");
    migrate(&SqliteOptions::new(&path)).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    for check in CHECKS {
        let plan = plan(&connection, check.sql);
        let name = check.name;
        assert!(!plan.iter().any(|step| step.starts_with("SCAN users")), "{name} reads it all: {plan:#?}");
        for step in check.steps {
            assert!(plan.iter().any(|taken| taken == step), "{name} does not take {step:?}: {plan:#?}");
        }
        // Only a prefix, whose matches lie in two places, is sorted after the fact.
        let is_sorted_by_index = !plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
        assert!(
            is_sorted_by_index || name == "list_users_by_prefix" || name == "list_users_by_email",
            "{name}: {plan:#?}"
        );
    }
}

#[test]
fn every_list_and_count_is_checked() {
    for entry in std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/queries")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_read = ["find_", "list_", "count_", "has_"].iter().any(|verb| name.starts_with(verb));
        assert!(!is_read || CHECKS.iter().any(|check| check.name == name), "{name} has no plan in this test");
    }
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("the query is understood");
    // The fourth column is the step; what is not bound counts as null.
    statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().expect("a plan is a few rows of text")
}
