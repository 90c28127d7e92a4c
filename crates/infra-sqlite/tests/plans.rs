//! What SQLite does for the queries: it goes by an index and never reads a whole table.

use denizen_infra_sqlite::{SqliteOptions, migrate};
use rusqlite::Connection;
use tempfile::TempDir;

/// Where queries lie: those of this crate, and those that both stores share.
const FOLDERS: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/queries"), concat!(env!("CARGO_MANIFEST_DIR"), "/../store-shared/queries")];

/// What a query may do.
struct Check {
    name: &'static str,
    /// Steps that the plan must have.
    steps: &'static [&'static str],
}

macro_rules! check {
    ($name:literal: $($step:literal),+) => {
        Check { name: $name, steps: &[$($step),+] }
    };
}

const CHECKS: &[Check] = &[
    check!("find_user": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("find_users": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("passwords_of": "SEARCH passwords USING PRIMARY KEY (user_id=?)"),
    check!("totps_of": "SEARCH totp_factors USING PRIMARY KEY (user_id=?)"),
    check!("recovery_codes_of": "SEARCH recovery_codes USING PRIMARY KEY (user_id=?)"),
    check!("passkeys_of": "SEARCH passkeys USING INDEX passkeys_by_user (user_id=?)"),
    check!("identities_of": "SEARCH identities USING INDEX identities_by_user (user_id=?)"),
    check!("api_keys_of": "SEARCH api_keys USING INDEX api_keys_by_user (user_id=?)"),
    check!("find_user_by_email": "SEARCH users USING INDEX users_by_email (email=?)"),
    check!("find_password": "SEARCH passwords USING PRIMARY KEY (user_id=?)"),
    check!("session_state": "SEARCH sessions USING PRIMARY KEY (id=?)",
        "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)",
        "SEARCH roles USING INDEX sqlite_autoindex_roles_2 (name=?) LEFT-JOIN"),
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
    check!("list_users_by_initial":
        "SEARCH listed USING PRIMARY KEY (initial=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))",
        "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("count_user_candidates": "SEARCH users USING COVERING INDEX users_by_email (email>? AND email<?)",
        "SEARCH users USING COVERING INDEX users_by_name (name_key>? AND name_key<?)",
        "SEARCH users USING COVERING INDEX users_by_role (role=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))",
        "SEARCH users USING COVERING INDEX users_by_status (status=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))",
        "SEARCH users USING COVERING INDEX users_by_role_status (role=? AND status=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))",
        "SEARCH user_initials USING PRIMARY KEY (initial=? AND (created_at,id)>(?,?) AND (created_at,id)<(?,?))"),
    check!("count_users": "SEARCH users USING COVERING INDEX users_by_created (created_at>?)"),
    check!("count_users_by_role": "SEARCH users USING COVERING INDEX users_by_role (role=? AND created_at>?)"),
    check!("count_users_by_status": "SEARCH users USING COVERING INDEX users_by_status (status=? AND created_at>?)"),
    check!("count_users_by_role_status":
        "SEARCH users USING COVERING INDEX users_by_role_status (role=? AND status=? AND created_at>?)"),
    check!("count_users_by_email": "SEARCH users USING INDEX users_by_email (email=?)"),
    check!("count_users_by_prefix": "SEARCH users USING COVERING INDEX users_by_email (email>? AND email<?)",
        "SEARCH users USING INDEX users_by_name (name_key>? AND name_key<?)"),
    check!("count_users_by_prefix_narrowed": "SEARCH users USING INDEX users_by_email (email>? AND email<?)",
        "SEARCH users USING INDEX users_by_name (name_key>? AND name_key<?)"),
    check!("count_users_narrowed_by_prefix":
        "SEARCH users USING INDEX users_by_role_status (role=? AND status=? AND created_at>?)",
        "SEARCH users USING INDEX users_by_role (role=? AND created_at>?)",
        "SEARCH users USING INDEX users_by_status (status=? AND created_at>?)"),
    check!("list_sessions": "SEARCH sessions USING INDEX sessions_by_user (user_id=? AND (created_at,id)<(?,?))"),
    check!("list_provider_sessions": "SEARCH identities USING COVERING INDEX identities_by_provider (provider=? AND id>?)",
        "SEARCH sessions USING INDEX sessions_by_identity (identity_id=?)"),
    check!("count_sessions": "SEARCH sessions USING INDEX sessions_by_user (user_id=?)"),
    check!("end_oldest_sessions": "SEARCH sessions USING PRIMARY KEY (id=?)",
        "SEARCH sessions USING INDEX live_sessions_by_user (user_id=?)"),
    check!("remove_expired_sessions": "SEARCH sessions USING PRIMARY KEY (id=?)",
        "SEARCH sessions USING COVERING INDEX sessions_by_idle_expiry (idle_expires_at<?)"),
    check!("touch_sessions": "SEARCH sessions USING PRIMARY KEY (id=?)"),
    check!("find_role": "SEARCH roles USING INDEX sqlite_autoindex_roles_1 (id=?)"),
    check!("find_role_by_name": "SEARCH roles USING INDEX sqlite_autoindex_roles_2 (name=?)"),
    check!("list_roles": "SEARCH roles USING INDEX roles_by_created ((created_at,id)<(?,?))"),
    check!("count_roles": "SCAN roles USING COVERING INDEX sqlite_autoindex_roles_2"),
    check!("has_role_holders": "SEARCH users USING COVERING INDEX users_by_role (role=?)",
        "SEARCH service_accounts USING COVERING INDEX service_accounts_by_role (role=?)"),
    check!("find_service_account": "SEARCH service_accounts USING INDEX sqlite_autoindex_service_accounts_1 (id=?)"),
    check!("list_service_accounts":
        "SEARCH service_accounts USING INDEX service_accounts_by_created ((created_at,id)<(?,?))"),
    check!("count_service_accounts": "SCAN service_accounts USING COVERING INDEX service_accounts_by_role"),
    check!("api_key_state": "SEARCH api_keys USING INDEX sqlite_autoindex_api_keys_1 (id=?)",
        "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?) LEFT-JOIN",
        "SEARCH service_accounts USING INDEX sqlite_autoindex_service_accounts_1 (id=?) LEFT-JOIN",
        "SEARCH roles USING INDEX sqlite_autoindex_roles_2 (name=?) LEFT-JOIN"),
    check!("find_api_key": "SEARCH api_keys USING INDEX sqlite_autoindex_api_keys_1 (id=?)"),
    check!("list_api_keys": "SEARCH api_keys USING INDEX api_keys_by_created ((created_at,id)<(?,?))"),
    check!("list_api_keys_by_user":
        "SEARCH api_keys USING INDEX api_keys_by_user (user_id=? AND (created_at,id)<(?,?))"),
    check!("list_api_keys_by_service_account":
        "SEARCH api_keys USING INDEX api_keys_by_service_account (service_account_id=? AND (created_at,id)<(?,?))"),
    check!("count_api_keys": "SCAN api_keys USING COVERING INDEX api_keys_by_created"),
    check!("count_api_keys_by_user": "SEARCH api_keys USING COVERING INDEX api_keys_by_user (user_id=?)"),
    check!("count_api_keys_by_service_account":
        "SEARCH api_keys USING COVERING INDEX api_keys_by_service_account (service_account_id=?)"),
    check!("touch_api_keys": "SEARCH api_keys USING INDEX sqlite_autoindex_api_keys_1 (id=?)"),
    check!("find_challenge": "SEARCH challenges USING INDEX sqlite_autoindex_challenges_1 (id=?)"),
    check!("purge_challenges": "SEARCH challenges USING INDEX challenges_by_end (expires_at<?)"),
    check!("has_one_time_token":
        "SEARCH one_time_tokens USING INDEX sqlite_autoindex_one_time_tokens_2 (user_id=? AND purpose=?)"),
    check!("remove_email_change_by":
        "SEARCH one_time_tokens USING INDEX sqlite_autoindex_one_time_tokens_2 (user_id=? AND purpose=?)"),
    check!("has_setup_link": "SEARCH setup_links USING INTEGER PRIMARY KEY (rowid=?)"),
    check!("take_setup_link": "SEARCH setup_links USING INTEGER PRIMARY KEY (rowid=?)"),
    check!("purge_one_time_tokens": "SEARCH one_time_tokens USING INDEX one_time_tokens_by_end (expires_at<?)"),
    check!("second_factor_standing": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)",
        "SEARCH totp_factors USING PRIMARY KEY (user_id=?)",
        "SEARCH passkeys USING INDEX passkeys_by_user (user_id=?)"),
    check!("find_trace": "SEARCH traces USING PRIMARY KEY (cause_id=?)"),
    check!("take_due_deletions": "SEARCH users USING COVERING INDEX sqlite_autoindex_users_1 (id=?)",
        "SEARCH users USING INDEX users_by_deletion (deletion_due_at<?)"),
    check!("purge_traces": "SEARCH traces USING PRIMARY KEY (cause_id=?)",
        "SEARCH traces USING COVERING INDEX traces_by_end (expires_at<?)"),
    check!("mail_backlog": "SEARCH outbox USING COVERING INDEX outbox_by_due (due_at<?)"),
    check!("delivery_backlog": "SCAN webhooks USING INDEX webhooks_by_created",
        "SEARCH deliveries USING COVERING INDEX deliveries_by_due (webhook_id=? AND due_at>? AND due_at<?)"),
    check!("has_due_mail": "SEARCH outbox USING COVERING INDEX outbox_by_due (due_at<?)"),
    check!("take_due_mail": "SEARCH outbox USING COVERING INDEX outbox_by_due (due_at<?)"),
    check!("hasten_mail": "SEARCH outbox USING INDEX outbox_by_due (due_at>?)"),
    check!("list_signing_keys": "SCAN signing_keys USING INDEX sqlite_autoindex_signing_keys_2"),
    check!("find_block": "SEARCH budgets USING PRIMARY KEY (key=?)"),
    check!("shorten_block": "SEARCH budgets USING PRIMARY KEY (key=?)"),
    check!("forgive_one_budget": "SEARCH budgets USING PRIMARY KEY (key=?)"),
    check!("forgive_whole_budget": "SEARCH budgets USING PRIMARY KEY (key=?)"),
    check!("purge_budgets": "SEARCH budgets USING PRIMARY KEY (key=?)",
        "SEARCH budgets USING COVERING INDEX budgets_by_end (forgotten_at<?)"),
    check!("events_between": "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    check!("find_events": "SEARCH events USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)"),
    check!("find_events_about":
        "SEARCH events USING INDEX events_by_subject (subject=? AND position>? AND position<?)"),
    check!("find_events_by": "SEARCH events USING INDEX events_by_actor (actor_id=? AND position>? AND position<?)"),
    check!("find_events_at": "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
    check!("nth_event_about":
        "SEARCH events USING COVERING INDEX events_by_subject (subject=? AND position>? AND position<?)"),
    check!("nth_event_by": "SEARCH events USING COVERING INDEX events_by_actor (actor_id=? AND position>? AND position<?)"),
    check!("deletions_to_pseudonymize": "SEARCH events USING INDEX events_by_deletion (occurred_at>? AND occurred_at<?)"),
    check!("erase_events": "SCAN json_each VIRTUAL TABLE INDEX 1:", "SEARCH events USING INTEGER PRIMARY KEY (rowid=?)"),
    check!("first_event_since": "SEARCH events USING COVERING INDEX events_by_time (occurred_at>?)"),
    check!("last_event_before": "SEARCH events USING COVERING INDEX events_by_time (occurred_at<?)"),
    check!("find_webhook": "SEARCH webhooks USING INDEX sqlite_autoindex_webhooks_1 (id=?)"),
    check!("list_webhooks": "SEARCH webhooks USING INDEX webhooks_by_created ((created_at,id)<(?,?))"),
    check!("lock_webhooks": "SCAN webhooks USING INDEX sqlite_autoindex_webhooks_1"),
    check!("count_webhooks": "SCAN webhooks USING COVERING INDEX sqlite_autoindex_webhooks_1"),
    check!("list_due_webhooks": "SCAN webhooks USING INDEX webhooks_by_created",
        "SEARCH deliveries EXISTS USING COVERING INDEX deliveries_by_due (webhook_id=? AND due_at>? AND due_at<?)"),
    check!("list_overdue_webhooks": "SCAN webhooks USING COVERING INDEX webhooks_by_created",
        "SEARCH deliveries EXISTS USING COVERING INDEX deliveries_by_patience (webhook_id=? AND gives_up_at<?)"),
    check!("find_delivery": "SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1 (id=?)"),
    check!("list_deliveries": "SEARCH deliveries USING INDEX deliveries_by_created (webhook_id=? AND (created_at,id)<(?,?))"),
    check!("list_deliveries_by_state":
        "SEARCH deliveries USING INDEX deliveries_by_state (webhook_id=? AND state=? AND (created_at,id)<(?,?))"),
    check!("count_deliveries": "SEARCH deliveries USING COVERING INDEX deliveries_by_created (webhook_id=?)"),
    check!("count_deliveries_by_state":
        "SEARCH deliveries USING COVERING INDEX deliveries_by_state (webhook_id=? AND state=?)"),
    check!("take_due_deliveries": "SEARCH deliveries USING INDEX deliveries_by_due (webhook_id=? AND due_at>? AND due_at<?)"),
    check!("shorten_pauses": "SCAN webhooks"),
    check!("hasten_deliveries": "SEARCH deliveries USING COVERING INDEX sqlite_autoindex_deliveries_1 (id=?)",
        "SEARCH late USING INDEX deliveries_by_due (webhook_id=? AND due_at>?)"),
    check!("settle_delivery": "SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1 (id=?)"),
    check!("release_deliveries": "SEARCH first USING INDEX deliveries_by_subject (webhook_id=? AND subject=?)",
        "SEARCH due USING INDEX deliveries_by_turn (webhook_id=? AND subject=?)"),
    check!("put_back_deliveries":
        "SEARCH deliveries USING INDEX deliveries_by_state (webhook_id=? AND state=? AND created_at>? AND created_at<?)"),
    check!("put_back_delivery": "SEARCH deliveries USING INDEX sqlite_autoindex_deliveries_1 (id=?)"),
    check!("park_overdue_deliveries":
        "SEARCH deliveries USING INDEX deliveries_by_patience (webhook_id=? AND gives_up_at<?)"),
    check!("remove_deliveries": "SEARCH deliveries USING INDEX deliveries_by_end (created_at<?)"),
    check!("remove_deliveries_to": "SEARCH deliveries USING COVERING INDEX deliveries_by_created (webhook_id=?)"),
    check!("insert_deliveries":
        "SEARCH earlier USING COVERING INDEX deliveries_by_subject (webhook_id=? AND subject=?)"),
    check!("lock_user": "SEARCH users USING INDEX sqlite_autoindex_users_1 (id=?)"),
    check!("lock_role": "SEARCH roles USING INDEX sqlite_autoindex_roles_1 (id=?)"),
    check!("lock_role_by_name": "SEARCH roles USING INDEX sqlite_autoindex_roles_2 (name=?)"),
    check!("share_role": "SEARCH roles USING INDEX sqlite_autoindex_roles_2 (name=?)"),
    check!("lock_service_account": "SEARCH service_accounts USING INDEX sqlite_autoindex_service_accounts_1 (id=?)"),
    check!("lock_webhook": "SEARCH webhooks USING INDEX sqlite_autoindex_webhooks_1 (id=?)"),
    check!("find_webhook_secrets": "SEARCH webhooks USING INDEX sqlite_autoindex_webhooks_1 (id=?)"),
    check!("find_one_time_token": "SEARCH one_time_tokens USING INDEX sqlite_autoindex_one_time_tokens_1 (id=?)"),
    check!("remove_one_time_tokens":
        "SEARCH one_time_tokens USING COVERING INDEX sqlite_autoindex_one_time_tokens_2 (user_id=? AND purpose=?)"),
    check!("find_idempotent_answer": "SEARCH idempotency_keys USING INDEX sqlite_autoindex_idempotency_keys_1 (key=?)"),
    check!("find_totp": "SEARCH totp_factors USING PRIMARY KEY (user_id=?)"),
    check!("share_provider": "SEARCH providers USING PRIMARY KEY (name=?)"),
    check!("find_provider": "SEARCH providers USING PRIMARY KEY (name=?)"),
    check!("list_providers": "SCAN providers"),
    check!("find_identity": "SEARCH identities USING INDEX identities_by_subject (issuer=? AND subject=?)"),
    check!("list_identities": "SEARCH identities USING INDEX identities_by_user (user_id=?)"),
    check!("remove_identity": "SEARCH identities USING INDEX sqlite_autoindex_identities_1 (id=?)"),
    check!("find_identity_tokens": "SEARCH identity_tokens USING PRIMARY KEY (identity_id=?)"),
    check!("lease_identity_tokens": "SEARCH identity_tokens USING PRIMARY KEY (identity_id=?)"),
    check!("renew_identity_tokens": "SEARCH identity_tokens USING PRIMARY KEY (identity_id=?)"),
    check!("release_identity_tokens": "SEARCH identity_tokens USING PRIMARY KEY (identity_id=?)"),
    check!("remove_identity_tokens": "SEARCH identity_tokens USING PRIMARY KEY (identity_id=?)"),
    check!("next_token_provider": "SEARCH identity_tokens USING COVERING INDEX identity_tokens_by_provider (provider>?)"),
    check!("purge_identity_tokens": "SEARCH identity_tokens USING COVERING INDEX identity_tokens_by_provider (provider=?)"),
    check!("take_token_draft": "SEARCH identity_token_drafts USING PRIMARY KEY (flow_id=?)"),
    check!("purge_token_drafts": "SEARCH identity_token_drafts USING COVERING INDEX identity_token_drafts_by_end (expires_at<?)"),
    check!("find_passkey": "SEARCH passkeys USING INDEX sqlite_autoindex_passkeys_2 (credential_id=?)"),
    check!("list_passkeys": "SEARCH passkeys USING INDEX passkeys_by_user (user_id=?)"),
    check!("count_passkeys": "SEARCH passkeys USING INDEX passkeys_by_user (user_id=?)"),
    check!("list_rp_ids": "SEARCH passkeys USING COVERING INDEX passkeys_by_rp"),
    check!("count_passkeys_of_rp": "SEARCH passkeys USING COVERING INDEX passkeys_by_rp (rp_id=?)"),
    check!("remove_passkey": "SEARCH passkeys USING INDEX sqlite_autoindex_passkeys_1 (id=?)"),
    check!("purge_flows": "SEARCH used_flows USING INDEX used_flows_by_end (expires_at<?)"),
    check!("remove_totp": "SEARCH totp_factors USING PRIMARY KEY (user_id=?)"),
    check!("remove_pending_totp": "SEARCH totp_factors USING PRIMARY KEY (user_id=?)"),
    check!("count_recovery_codes": "SEARCH recovery_codes USING PRIMARY KEY (user_id=?)"),
    check!("remove_recovery_codes": "SEARCH recovery_codes USING PRIMARY KEY (user_id=?)"),
    check!("remove_password": "SEARCH passwords USING PRIMARY KEY (user_id=?)"),
    check!("remove_challenge": "SEARCH challenges USING INDEX sqlite_autoindex_challenges_1 (id=?)"),
    check!("remove_challenges": "SEARCH challenges USING COVERING INDEX challenges_by_user (user_id=?)"),
    check!("remove_mail": "SEARCH outbox USING INDEX sqlite_autoindex_outbox_1 (id=?)"),
    check!("list_sealed_roots": "SCAN root_keys", "USE TEMP B-TREE FOR ORDER BY"),
];

/// Tables that grow with the product. What counts or lists all of another table reads all of it.
const LARGE: &[&str] = &[
    "users",
    "user_initials",
    "listed",
    "passwords",
    "sessions",
    "roles",
    "service_accounts",
    "api_keys",
    "outbox",
    "challenges",
    "passkeys",
    "used_flows",
    "budgets",
    "events",
    "deliveries",
];

/// Queries whose matches, in several places or very few, are sorted after the fact, or what is handed in.
const SORTED_AFTER: &[&str] =
    &["list_users_by_prefix", "list_users_by_email", "list_sealed_roots", "insert_deliveries"];

#[tokio::test]
async fn no_query_walks_a_large_table() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("plans.db");
    migrate(&SqliteOptions::new(&path)).await.unwrap();
    let connection = Connection::open(&path).unwrap();
    for check in CHECKS {
        let name = check.name;
        let plan = plan(&connection, &text(name));
        // A count of everything walks an index, and says so.
        let is_walk = |step: &String| {
            let table = step.strip_prefix("SCAN ").and_then(|step| step.split(' ').next());
            table.is_some_and(|table| LARGE.contains(&table)) && !check.steps.contains(&step.as_str())
        };
        assert!(!plan.iter().any(is_walk), "{name} reads it all: {plan:#?}");
        for step in check.steps {
            assert!(plan.iter().any(|taken| taken == step), "{name} does not take {step:?}: {plan:#?}");
        }
        let is_sorted_by_index = !plan.iter().any(|step| step.contains("TEMP B-TREE FOR ORDER BY"));
        assert!(is_sorted_by_index || SORTED_AFTER.contains(&name), "{name}: {plan:#?}");
    }
}

#[test]
fn every_query_that_could_walk_is_checked() {
    for entry in FOLDERS.into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_read =
            ["find_", "lock_", "share_", "list_", "count_", "has_", "touch_", "remove_", "hasten_", "shorten_"]
                .iter()
                .any(|verb| name.starts_with(verb));
        assert!(!is_read || CHECKS.iter().any(|check| check.name == name), "{name} has no plan in this test");
    }
}

/// The text of a query.
fn text(name: &str) -> String {
    let read = |folder: &str| std::fs::read_to_string(format!("{folder}/{name}.sql"));
    FOLDERS.into_iter().find_map(|folder| read(folder).ok()).expect("a query has this name")
}

fn plan(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).expect("the query is understood");
    // The fourth column is the step; what is not bound counts as null.
    statement.raw_query().mapped(|row| row.get(3)).collect::<Result<_, _>>().expect("a plan is a few rows of text")
}
