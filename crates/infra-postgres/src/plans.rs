//! What PostgreSQL does for each query: it goes by an index and never reads a whole table.

use std::time::Duration;

use denizen_testkit::postgres::PostgresDatabase;
use sqlx::{AssertSqlSafe, Executor, PgConnection, Row, raw_sql};

use crate::connect::set;
use crate::{PostgresOptions, migrate};

/// Where queries lie: those of this crate, and those that both stores share.
const FOLDERS: [&str; 2] =
    [concat!(env!("CARGO_MANIFEST_DIR"), "/queries"), concat!(env!("CARGO_MANIFEST_DIR"), "/../store-shared/queries")];
/// A page without a cursor, then from a cursor: `$1` to `$5` of every list.
const WINDOWS: [&str; 2] = [
    "9223372036854775807, 'ffffffff-ffff-ffff-ffff-ffffffffffff', -9223372036854775808, 21, 0",
    "2500, '00000000-0000-0000-0000-000000000000', -9223372036854775808, 21, 0",
];
/// The same in the lists that are not bounded by time: `$1` to `$4`.
const PAGES: [&str; 2] = [
    "9223372036854775807, 'ffffffff-ffff-ffff-ffff-ffffffffffff', 21, 0",
    "2500, '00000000-0000-0000-0000-000000000000', 21, 0",
];
/// All positions: `$1` to `$4` of a search.
const SPAN: &str = "9223372036854775807, 'ffffffff-ffff-ffff-ffff-ffffffffffff', \
                    -9223372036854775808, 'ffffffff-ffff-ffff-ffff-ffffffffffff'";
/// What has a handful of rows and is read as a whole.
const READ_WHOLE: [&str; 2] = ["list_sealed_roots", "shorten_pauses"];
const ALL: &str = "-9223372036854775808";
/// A webhook that there is.
const HOOK: &str = "md5('2')::uuid";
/// A stretch of the log, of one type: `$1` to `$8` of a filter.
const EVENTS: &str = "1000, 2000, 20, ARRAY['user.created'], 0, 5000, NULL, NULL";
/// A hash.
const ZEROS: &str = "\\x0000000000000000000000000000000000000000000000000000000000000000";
const USER: &str = "'00000000-0000-7000-8000-000000000000'";

/// What a query must go by, with values for its parameters; `W` stands for a window, `P` for a page.
struct Check {
    name: &'static str,
    values: String,
    indexes: &'static [&'static str],
}

macro_rules! check {
    ($name:literal ($values:expr): $($index:literal),*) => {
        Check {
            name: $name,
            values: $values.to_string(),
            indexes: &[$($index),*],
        }
    };
}

fn checks() -> Vec<Check> {
    checks_of_lists().into_iter().chain(checks_of_keys()).chain(checks_of_work()).collect()
}

/// Of what goes by the key of one row, or of one account.
fn checks_of_keys() -> Vec<Check> {
    vec![
        check!("find_user"(USER): "users_pkey"),
        check!("find_users"("'[\"00000000000070008000000000000000\"]'"): "users_pkey"),
        check!("passwords_of"("'[\"00000000000070008000000000000000\"]'"): "passwords_pkey"),
        check!("totps_of"("'[\"00000000000070008000000000000000\"]'"): "totp_factors_pkey"),
        check!("recovery_codes_of"("'[\"00000000000070008000000000000000\"]'"): "recovery_codes_pkey"),
        check!("passkeys_of"("'[\"00000000000070008000000000000000\"]'"): "passkeys_by_user"),
        check!("identities_of"("'[\"00000000000070008000000000000000\"]'"): "identities_by_user"),
        check!("api_keys_of"("'[\"00000000000070008000000000000000\"]'"): "api_keys_by_user"),
        check!("find_session_owner"(USER): "sessions_pkey"),
        check!("find_password"(USER): "passwords_pkey"),
        check!("remove_password"(USER): "passwords_pkey"),
        check!("find_one_time_token"(format!("{USER}, 'sign_in', 1")): "one_time_tokens_"),
        check!("has_one_time_token"(format!("{USER}, 'invitation', 1")): "one_time_tokens_user_id_purpose_key"),
        check!("has_setup_link"("'\\x00', 1"): "setup_links_pkey"),
        check!("find_idempotent_answer"("'\\x00'"): "idempotency_keys_pkey"),
        check!("find_totp"(USER): "totp_factors_pkey"),
        check!("share_provider"("'google'"): "providers_pkey"),
        check!("find_provider"("'google'"): "providers_pkey"),
        check!("list_providers"("100"): "providers_pkey"),
        check!("find_identity"("'https://accounts.google.com', '1'"): "identities_by_subject"),
        check!("list_identities"(format!("{USER}, 20")): "identities_by_user"),
        check!("remove_identity"(format!("{USER}, {USER}")): "identities_"),
        check!("find_identity_tokens"(USER): "identity_tokens_pkey"),
        check!("lease_identity_tokens"(format!("{USER}, {USER}, 1, 2")): "identity_tokens_pkey"),
        check!("renew_identity_tokens"(format!("{USER}, {USER}, ''::bytea, {USER}")): "identity_tokens_pkey"),
        check!("release_identity_tokens"(format!("{USER}, {USER}")): "identity_tokens_pkey"),
        check!("remove_identity_tokens"(format!("{USER}, {USER}")): "identity_tokens_pkey"),
        check!("next_token_provider"("'google'"): "identity_tokens_by_provider"),
        check!("purge_identity_tokens"("'google', 100"): "identity_tokens_by_provider", "identity_tokens_pkey"),
        check!("take_token_draft"(USER): "identity_token_drafts_pkey"),
        check!("purge_token_drafts"("2500, 100"): "identity_token_drafts_by_end", "identity_token_drafts_pkey"),
        check!("remove_totp"(USER): "totp_factors_pkey"),
        check!("remove_pending_totp"(USER): "totp_factors_pkey"),
        check!("count_recovery_codes"(USER): "recovery_codes_pkey"),
        check!("remove_recovery_codes"(USER): "recovery_codes_pkey"),
        check!("remove_challenge"(USER): "challenges_pkey"),
        check!("remove_challenges"(USER): "challenges_by_user"),
        check!("remove_mail"(USER): "outbox_pkey"),
        check!("find_passkey"("'\\x00'"): "passkeys_credential_id_key"),
        check!("list_passkeys"(USER): "passkeys_by_user"),
        check!("count_passkeys"(format!("{USER}, 'passkey'")): "passkeys_by_user"),
        check!("list_rp_ids"(""): "passkeys_by_rp"),
        check!("count_passkeys_of_rp"("'example.de'"): "passkeys_by_rp"),
        check!("remove_passkey"(format!("{USER}, {USER}")): "passkeys_"),
        check!("find_webhook_secrets"(USER): "webhooks_pkey"),
        check!("lock_user"(USER): "users_pkey"),
        check!("find_user_by_email"("'user7@example.com'"): "users_by_email"),
    ]
}

/// Of mail, and of work that is due.
fn checks_of_work() -> Vec<Check> {
    vec![
        check!("has_due_mail"("1"): "outbox_by_due"),
        check!("find_trace"(USER): "traces_pkey"),
        check!("take_due_deletions"("2500, 3000, 100"): "users_by_deletion", "users_pkey"),
        check!("purge_traces"("2500, 100"): "traces_by_end", "traces_pkey"),
        check!("mail_backlog"("1, 10000"): "outbox_by_due"),
        check!("delivery_backlog"("1, 10000"): "deliveries_by_due"),
        check!("take_due_mail"("1, 2, 3"): "outbox_by_due", "outbox_pkey"),
        check!("hasten_mail"("1, 4990"): "outbox_by_due"),
    ]
}

/// Of lists, counts, and what changes rows.
fn checks_of_lists() -> Vec<Check> {
    vec![
        check!("session_state"(USER): "sessions_pkey", "users_pkey", "roles_name_key"),
        check!("session_state_and_user"(format!("{USER}, {USER}")): "sessions_pkey", "users_pkey", "roles_name_key"),
        check!("rotate_session"(format!("{USER}, 0, 0, 1")): "sessions_pkey"),
        check!("rotate_and_find_session"(format!("{USER}, 0, 0, 1")): "sessions_pkey", "users_pkey", "roles_name_key"),
        check!("list_sessions"(format!("P, {USER}, 0")): "live_sessions_by_user"),
        check!("list_provider_sessions"(format!("'acme', {USER}, 100, 0")): "identities_by_provider", "sessions_by_identity"),
        check!("count_sessions"(format!("{USER}, 0")): "live_sessions_by_user"),
        check!("touch_sessions"(format!("ARRAY[{USER}]::uuid[], ARRAY[1]::bigint[]")): "sessions_pkey"),
        check!("end_oldest_sessions"(format!("{USER}, 100, 2, 0")): "live_sessions_by_user", "sessions_pkey"),
        check!("remove_expired_sessions"("0, 2500, 100"): "sessions_by_idle_expiry", "sessions_pkey"),
        check!("spend_budgets"("ARRAY['\\x00'::bytea, '\\x01'::bytea], ARRAY[9, 9], ARRAY[9, 9], ARRAY[9, 9], ARRAY[9, 9], 0"): "budgets_pkey"),
        check!("shorten_blocks"("ARRAY['\\x00'::bytea, '\\x01'::bytea], ARRAY[9, 9], ARRAY[9, 9], ARRAY[9, 9], ARRAY[9, 9], 0"): "budgets_pkey"),
        check!("purge_budgets"("0, 500"): "budgets_by_end", "budgets_pkey"),
        check!("find_role"(USER): "roles_pkey"),
        check!("lock_role"(USER): "roles_pkey"),
        check!("find_role_by_name"("'role7'"): "roles_name_key"),
        check!("lock_role_by_name"("'role7'"): "roles_name_key"),
        check!("share_role"("'role7'"): "roles_name_key"),
        check!("has_role_holders"("'role7'"): "users_by_role", "service_accounts_by_role"),
        check!("list_roles"("P"): "roles_by_created"),
        check!("count_roles"(""):),
        check!("find_service_account"(USER): "service_accounts_pkey"),
        check!("lock_service_account"(USER): "service_accounts_pkey"),
        check!("list_service_accounts"("P"): "service_accounts_by_created"),
        check!("count_service_accounts"("10001"):),
        check!("api_key_state"(USER): "api_keys_pkey", "users_pkey", "service_accounts_pkey", "roles_name_key"),
        check!("find_api_key"(USER): "api_keys_pkey"),
        check!("list_api_keys"("P"): "api_keys_by_created"),
        check!("list_api_keys_by_user"(format!("P, {USER}")): "api_keys_by_user"),
        check!("list_api_keys_by_service_account"(format!("P, {USER}")): "api_keys_by_service_account"),
        check!("count_api_keys"("10001"):),
        check!("count_api_keys_by_user"(format!("10001, {USER}")): "api_keys_by_user"),
        check!("count_api_keys_by_service_account"(format!("10001, {USER}")): "api_keys_by_service_account"),
        check!("touch_api_keys"(format!("ARRAY[{USER}]::uuid[], ARRAY[1]::bigint[]")): "api_keys_pkey"),
        check!("rotate_api_key"(format!("{USER}, 1, '', 1, 1")): "api_keys_pkey"),
        check!("find_challenge"(format!("{USER}, 1")): "challenges_pkey"),
        check!("try_challenge"(format!("{USER}, 1")): "challenges_pkey"),
        check!("purge_challenges"("2500, 100"): "challenges_by_end", "challenges_pkey"),
        check!("remove_email_change_by"(format!("{USER}, 'email_change', {USER}")): "one_time_tokens_user_id_purpose_key"),
        check!("remove_one_time_tokens"(format!("{USER}, ARRAY['sign_in', 'email_change']")): "one_time_tokens_user_id_purpose_key"),
        check!("purge_one_time_tokens"("2500, 100"): "one_time_tokens_by_end", "one_time_tokens_pkey"),
        check!("purge_flows"("2500, 100"): "used_flows_by_end", "used_flows_pkey"),
        check!("second_factor_standing"(USER): "users_pkey", "totp_factors_pkey", "passkeys_by_user", "roles_name_key"),
        check!("find_webhook"(USER): "webhooks_pkey"),
        check!("lock_webhook"(USER): "webhooks_pkey"),
        check!("lock_webhooks"(""): "webhooks_pkey"),
        check!("list_webhooks"("P"): "webhooks_by_created"),
        check!("count_webhooks"(""):),
        check!("list_due_webhooks"("2500"): "webhooks_by_created", "deliveries_by_due"),
        check!("list_overdue_webhooks"("2500"): "webhooks_by_created", "deliveries_by_patience"),
        check!("find_delivery"(format!("{HOOK}, {USER}")): "deliveries_pkey"),
        check!("list_deliveries"(format!("P, {HOOK}")): "deliveries_by_created"),
        check!("list_deliveries_by_state"(format!("P, {HOOK}, 'parked'")): "deliveries_by_state"),
        // Two indexes serve it as well as each other.
        check!("count_deliveries"(format!("10001, {HOOK}")): "deliveries_by_"),
        check!("count_deliveries_by_state"(format!("10001, {HOOK}, 'parked'")): "deliveries_by_state"),
        check!("take_due_deliveries"(format!("{HOOK}, 2500, 2600, 4")): "deliveries_by_due", "deliveries_pkey"),
        check!("hasten_deliveries"("1, 4990"): "deliveries_by_due", "deliveries_pkey"),
        check!("settle_delivery"(format!("{USER}, 1, 'parked', NULL, 1, 1, 1, '', ''")): "deliveries_pkey"),
        check!("release_deliveries"(format!("{HOOK}, ARRAY['a', 'b'], 1")): "deliveries_by_subject"),
        check!("put_back_deliveries"(format!("{HOOK}, 'parked', 1, 2500, 9, 9, 4")): "deliveries_by_state", "deliveries_pkey"),
        check!("put_back_delivery"(format!("{HOOK}, {USER}, 1, 2")): "deliveries_pkey"),
        check!("park_overdue_deliveries"(format!("{HOOK}, 2500, 4")): "deliveries_by_patience", "deliveries_pkey"),
        check!("remove_deliveries"("2500, 4"): "deliveries_by_end", "deliveries_pkey"),
        check!("remove_deliveries_to"(format!("{HOOK}, 4")): "deliveries_by_created", "deliveries_pkey"),
        check!("list_signing_keys"(""): "signing_keys_sequence_key"),
        check!("events_between"("1000, 2000, 20"): "events_pkey"),
        check!("find_events"(EVENTS): "events_pkey"),
        check!("find_events_about"(EVENTS.replace("NULL, NULL", "'subject3', NULL")): "events_by_subject"),
        check!("find_events_by"(EVENTS.replace("NULL, NULL", &format!("NULL, {USER}"))): "events_by_actor"),
        check!("find_events_at"("'[7, 9]'"): "events_pkey"),
        check!("nth_event_about"("'subject3', 1000, 2000, 20"): "events_by_subject"),
        check!("nth_event_by"(format!("{USER}, 1000, 2000, 20")): "events_by_actor"),
        check!("deletions_to_pseudonymize"("2500, 100, 7, 20"): "events_by_deletion"),
        check!("erase_events"("'[]'"): "events_pkey"),
        check!("first_event_since"("2500"): "events_pkey", "event_log_pkey"),
        check!("last_event_before"("2500"): "events_pkey", "event_log_pkey"),
        check!("list_pending_events"("20"): "pending_events_pkey", "event_log_pkey"),
        check!("assign_positions"(format!("'[]', ARRAY[1], 1, '{ZEROS}', 0, '{ZEROS}', ARRAY['a'], ARRAY['b']")): "event_log_pkey", "pending_events_pkey"),
        check!("has_other_active_admin"(format!("'admin', 'active', {USER}")): "users_by_role_status"),
        check!("list_users"("W"): "users_by_created"),
        check!("list_users_by_role"("W, 'admin', 'u', 'v'"): "users_by_role"),
        check!("list_users_by_status"("W, 'invited', NULL, NULL"): "users_by_status"),
        check!("list_users_by_role_status"("W, 'admin', 'active', NULL, NULL"): "users_by_role_status"),
        check!("list_users_by_initial"(format!("{SPAN}, 21, 0, 'xu', 'xv', NULL, NULL")): "users_by_email_initial", "users_by_name_initial"),
        check!("count_user_candidates"(format!("257, 'xu', 'xv', {SPAN}, 'admin', 'active'")): "users_by_email", "users_by_name",
            "users_by_role_status", "users_by_email_initial", "users_by_name_initial"),
        check!("list_users_by_email"("W, 'user7@example.com', NULL, NULL, 'u', 'v'"): "users_by_email"),
        check!("list_users_by_prefix"("W, 'user77', 'user78', NULL, NULL"): "users_by_email", "users_by_name"),
        check!("count_users"(format!("10001, {ALL}")): "users_by_created"),
        check!("count_users_by_role"(format!("10001, {ALL}, 'admin'")): "users_by_role"),
        check!("count_users_by_status"(format!("10001, {ALL}, 'invited'")): "users_by_status"),
        check!("count_users_by_role_status"(format!("10001, {ALL}, 'admin', 'active'")): "users_by_role_status"),
        check!("count_users_by_email"(format!("{ALL}, 'user7@example.com', NULL, NULL, NULL, NULL")): "users_by_email"),
        check!("count_users_by_prefix"("10001, 'user77', 'user78'"): "users_by_email", "users_by_name"),
        check!("count_users_by_prefix_narrowed"(format!("10001, 'user77', 'user78', {ALL}, 'user', NULL")): "users_by_email", "users_by_name"),
        check!("count_users_narrowed_by_prefix"(format!("'u', 'v', {ALL}, 'admin', NULL")): "users_by_role"),
    ]
}

/// A connection with the settings of the pool.
async fn connect_as_pooled(options: &PostgresOptions) -> PgConnection {
    let mut connection = options.connect_once().await.unwrap();
    set(&mut connection, options.settings().unwrap(), Duration::from_secs(10)).await.unwrap();
    connection
}

#[tokio::test]
async fn no_query_reads_a_whole_table() {
    let database = PostgresDatabase::create().await;
    let options = PostgresOptions::new(database.url());
    migrate(&options).await.unwrap();
    let mut connection = connect_as_pooled(&options).await;
    load(&mut connection).await;
    for check in checks() {
        for (window, page) in std::iter::zip(WINDOWS, PAGES) {
            let values = check.values.replace('W', window).replace('P', page);
            let plan = explain(&mut connection, &text(check.name), &values).await;
            let name = check.name;
            assert!(!plan.contains("Seq Scan"), "{name} reads it all:\n{plan}");
            for index in check.indexes {
                let is_used = [" using ", " on "].iter().any(|word| plan.contains(&format!("{word}{index}")));
                assert!(is_used, "{name} does not go by {index}:\n{plan}");
            }
            // Only a prefix, whose matches lie in two places, is sorted after the fact, the ids that are handed in, and the
            // records of somebody when they are few.
            let is_sorted_by_index = !sorts(&plan)
                || name.ends_with("_prefix")
                || name.ends_with("_email")
                || name.starts_with("touch_")
                || name.starts_with("find_events_")
                || name.starts_with("nth_event_");
            assert!(is_sorted_by_index, "{name} sorts:\n{plan}");
        }
    }
}

#[tokio::test]
async fn a_common_value_is_no_reason_to_read_the_whole_table() {
    let database = PostgresDatabase::create().await;
    let options = PostgresOptions::new(database.url());
    migrate(&options).await.unwrap();
    let mut connection = connect_as_pooled(&options).await;
    load(&mut connection).await;
    for (sql, values) in [
        (include_str!("../queries/list_users_by_role.sql"), "W, 'user', NULL, NULL"),
        (include_str!("../queries/list_users_by_status.sql"), "W, 'active', NULL, NULL"),
        (include_str!("../queries/list_users_by_prefix.sql"), "W, 'u', 'v', NULL, NULL"),
        (include_str!("../queries/count_users_by_prefix.sql"), "10001, 'u', 'v'"),
        (include_str!("../queries/count_users_by_prefix_narrowed.sql"), "10001, 'u', 'v', 0, 'user', NULL"),
    ] {
        let plan = explain(&mut connection, sql, &values.replace('W', WINDOWS[0])).await;
        assert!(!plan.contains("Seq Scan"), "{plan}");
    }
    // A common initial: the rows come in the order of the list, and are not sorted.
    let values = format!("{SPAN}, 21, 0, 'user', 'v', NULL, NULL");
    let plan = explain(&mut connection, include_str!("../queries/list_users_by_initial.sql"), &values).await;
    assert!(!plan.contains("Seq Scan") && !sorts(&plan), "{plan}");
}

#[test]
fn every_list_and_count_is_checked() {
    for entry in FOLDERS.into_iter().flat_map(|folder| std::fs::read_dir(folder).unwrap()) {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let is_read =
            ["find_", "lock_", "share_", "list_", "count_", "has_", "touch_", "remove_", "hasten_", "shorten_"]
                .iter()
                .any(|verb| name.starts_with(verb));
        let is_checked = READ_WHOLE.contains(&name) || checks().iter().any(|check| check.name == name);
        assert!(!is_read || is_checked, "{name} has no plan in this test");
    }
}

/// The text of a query.
fn text(name: &str) -> String {
    let read = |folder: &str| std::fs::read_to_string(format!("{folder}/{name}.sql"));
    FOLDERS.into_iter().find_map(|folder| read(folder).ok()).expect("a query has this name")
}

/// Five thousand of each, a few of them special, and what the planner needs to know of them.
async fn load(connection: &mut PgConnection) {
    let sql = "
        INSERT INTO users
        SELECT md5(n::text)::uuid, 'user' || n || '@example.com', false, 'Name ' || n, 'name ' || n,
            CASE WHEN n % 500 = 0 THEN 'admin' ELSE 'user' END,
            CASE WHEN n % 200 = 0 THEN 'invited' ELSE 'active' END,
            n, n, NULL, 1, '{}'
        FROM generate_series(1, 5000) AS n;
        INSERT INTO sessions
        SELECT md5(n::text)::uuid, md5(n::text)::uuid, 0, n, n, n, n FROM generate_series(1, 5000) AS n;
        INSERT INTO roles
        SELECT md5(n::text)::uuid, 'role' || n, '', '', n, n, 1 FROM generate_series(1, 5000) AS n;
        INSERT INTO service_accounts
        SELECT md5(n::text)::uuid, 'Name ' || n, '', 'user', 'active', n, n, 1 FROM generate_series(1, 5000) AS n;
        INSERT INTO api_keys (id, user_id, service_account_id, name, scopes, secret_hash, created_at, version)
        SELECT md5(n::text)::uuid, CASE WHEN n % 2 = 0 THEN md5(n::text)::uuid END,
            CASE WHEN n % 2 = 1 THEN md5(n::text)::uuid END, 'Name', '', sha256(n::text::bytea), n, 1
        FROM generate_series(1, 5000) AS n;
        INSERT INTO challenges
        SELECT md5(n::text)::uuid, md5(n::text)::uuid, 'second_factor', NULL, 5, n, n FROM generate_series(1, 5000) AS n;
        INSERT INTO one_time_tokens
        SELECT md5(n::text)::uuid, md5(n::text)::uuid, 'sign_in', 'a@b', n, n FROM generate_series(1, 5000) AS n;
        INSERT INTO totp_factors
        SELECT md5(n::text)::uuid, '', n, n, 0 FROM generate_series(1, 5000) AS n;
        INSERT INTO identities
        SELECT md5(n::text)::uuid, md5(n::text)::uuid, 'acme', 'https://id.example.com', n::text, NULL, n, n
        FROM generate_series(1, 5000) AS n;
        INSERT INTO identity_tokens
        SELECT md5(n::text)::uuid, 'acme' || n % 100, '', md5(n::text)::uuid, 0 FROM generate_series(1, 5000) AS n;
        INSERT INTO identity_token_drafts
        SELECT md5(n::text)::uuid, '', n FROM generate_series(1, 5000) AS n;
        INSERT INTO passkeys
        SELECT md5(n::text)::uuid, md5(n::text)::uuid, '\\x00000000000000000000000000000000', sha256(n::text::bytea), '{}',
            'Name', md5(n::text)::uuid, '', false, false, 0, n, NULL, 'example.com', 'passkey'
        FROM generate_series(1, 5000) AS n;
        INSERT INTO used_flows
        SELECT md5(n::text)::uuid, n FROM generate_series(1, 5000) AS n;
        INSERT INTO outbox
        SELECT md5(n::text)::uuid, 'password_changed', NULL, 'a@b', '', NULL, n, n, 0, n FROM generate_series(1, 5000) AS n;
        INSERT INTO events
        SELECT n, md5(n::text)::uuid, 'user.created', 'subject' || n % 500, 'user', md5((n % 500)::text)::uuid,
            NULL, NULL, NULL, NULL, n, '{}', sha256(n::text::bytea)
        FROM generate_series(1, 5000) AS n;
        INSERT INTO webhooks
        SELECT md5(n::text)::uuid, 'https://example.com/', '', '', 'active', 0, '', NULL, NULL, 0, NULL, n, n, 1
        FROM generate_series(1, 50) AS n;
        INSERT INTO deliveries
        SELECT md5(n::text)::uuid, md5('2')::uuid, n, md5(n::text)::uuid, 'user.created', n::text,
            CASE WHEN n % 20 = 0 THEN 'pending' WHEN n % 20 = 1 THEN 'parked' ELSE 'delivered' END, 0,
            CASE WHEN n % 20 = 0 THEN n END, NULL, n, n
        FROM generate_series(1, 5000) AS n;
        ANALYZE";
    connection.execute(raw_sql(sql)).await.unwrap();
}

/// Whether rows are sorted after they are read. A merge of rows that come in order also has a key.
fn sorts(plan: &str) -> bool {
    let mut steps = plan.lines().map(|line| line.trim_start().trim_start_matches("->").trim_start());
    steps.any(|step| step.starts_with("Sort  (") || step.starts_with("Incremental Sort  ("))
}

async fn explain(connection: &mut PgConnection, sql: &str, values: &str) -> String {
    let values = if values.is_empty() { String::new() } else { format!("({values})") };
    let script = format!("PREPARE checked AS {sql}; EXPLAIN EXECUTE checked{values}; DEALLOCATE checked");
    let lines = raw_sql(AssertSqlSafe(script)).fetch_all(connection).await.unwrap();
    lines.iter().map(|line| line.get::<String, _>(0)).collect::<Vec<_>>().join("\n")
}

/// PostgreSQL may run a sub-query once for each row of the table that is changed. With `SKIP LOCKED`, each run finds other
/// rows, so that more of them change than `LIMIT` says. A sub-query in `ARRAY` runs once.
#[test]
fn a_change_of_a_limited_number_of_rows_selects_them_once() {
    for folder in FOLDERS {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let Ok(sql) = std::fs::read_to_string(&path) else { continue };
            let is_change = sql.contains("UPDATE ") || sql.contains("DELETE FROM");
            let is_limited = sql.contains("LIMIT $") || sql.contains("LIMIT (");
            assert!(!is_change || !is_limited || sql.contains("ARRAY("), "{}", path.display());
        }
    }
}
