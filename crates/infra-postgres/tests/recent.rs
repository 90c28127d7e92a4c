//! What two nodes on one database remember, and how soon they notice a change.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::time::Duration;

use denizen_domain::access::{Permissions, Subject};
use denizen_domain::api_keys::store::KeyRotation;
use denizen_domain::api_keys::{ApiKey, ApiKeyState};
use denizen_domain::roles::Role;
use denizen_domain::service_accounts::ServiceAccount;
use denizen_domain::sessions::store::Rotation;
use denizen_domain::sessions::{EndReason, Session, SessionState};
use denizen_domain::store::{Store, WriteTx};
use denizen_domain::users::{Status, User};
use denizen_infra_postgres::{PostgresOptions, PostgresStore, migrate};
use denizen_testkit::build::{self, moment};
use denizen_testkit::postgres::PostgresDatabase;
use sqlx::{Connection, Executor, PgConnection, query_scalar};
use tokio::time::{sleep, timeout};

/// What the server that made a change, and every other, has to notice it.
const SOON: Duration = Duration::from_secs(1);
const WITHOUT_NOTIFICATION: Duration = Duration::from_secs(5);
const LISTENERS: &str = "SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'denizen listener'
    AND (query LIKE 'LISTEN \"denizen_changes\"%' OR query = 'SELECT 1')";

/// Two nodes, and somebody who changes the database behind their backs.
struct World {
    a: PostgresStore,
    b: PostgresStore,
    outsider: PgConnection,
    user: User,
    account: ServiceAccount,
    role: Role,
    session: Session,
    user_key: ApiKey,
    account_key: ApiKey,
    database: PostgresDatabase,
}

impl World {
    async fn new() -> Self {
        let database = PostgresDatabase::create().await;
        let options = PostgresOptions::new(database.url());
        migrate(&options).await.unwrap();
        let role = build::role(1);
        let user = User { role: role.name.clone(), ..build::user(1) };
        let account = build::service_account(1);
        let session = build::session(&user, 1);
        let user_key = build::api_key(Subject::User(user.id), 1);
        let account_key = build::api_key(Subject::ServiceAccount(account.id), 2);
        let a = PostgresStore::open(&options).unwrap();
        let mut tx = a.write().await.unwrap();
        assert!(tx.insert_role(&role).await.unwrap());
        assert!(tx.insert_user(&user).await.unwrap());
        tx.insert_service_account(&account).await.unwrap();
        tx.insert_session(&session).await.unwrap();
        tx.insert_api_key(&user_key, &[1; 32]).await.unwrap();
        tx.insert_api_key(&account_key, &[2; 32]).await.unwrap();
        tx.commit().await.unwrap();
        let b = PostgresStore::open(&options).unwrap();
        let outsider = PgConnection::connect(database.url()).await.unwrap();
        Self { a, b, outsider, user, account, role, session, user_key, account_key, database }
    }

    /// Two nodes that listen, and remember everything.
    async fn remembered() -> Self {
        let mut world = Self::new().await;
        world.read_all().await;
        world.wait_for_listeners(2).await;
        // Whoever begins to listen forgets what was before, a moment after the server knows.
        sleep(Duration::from_millis(250)).await;
        world.read_all().await;
        world
    }

    async fn read_all(&self) {
        for store in [&self.a, &self.b] {
            self.session(store).await.unwrap();
            key(store, &self.user_key).await.unwrap();
            key(store, &self.account_key).await.unwrap();
        }
    }

    async fn listeners(&mut self) -> Vec<i32> {
        query_scalar(LISTENERS).fetch_all(&mut self.outsider).await.unwrap()
    }

    async fn wait_for_listeners(&mut self, count: usize) {
        within(Duration::from_secs(10), async || self.listeners().await.len() == count).await;
    }

    async fn session(&self, store: &PostgresStore) -> Option<SessionState> {
        store.read().await.unwrap().session_state(self.session.id).await.unwrap()
    }

    /// Ends the session in a way that notifies nobody.
    async fn end_silently(&mut self) {
        let sql = "UPDATE sessions SET ended_at = 1, end_reason = 'revoked'";
        assert_eq!(self.outsider.execute(sql).await.unwrap().rows_affected(), 1);
    }
}

async fn key(store: &PostgresStore, key: &ApiKey) -> Option<ApiKeyState> {
    store.read().await.unwrap().api_key_state(key.id).await.unwrap()
}

/// Waits until something is so.
async fn within(limit: Duration, mut is_so: impl AsyncFnMut() -> bool) {
    let wait = async {
        while !is_so().await {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(limit, wait).await.unwrap_or_else(|_| panic!("not so after {limit:?}"));
}

/// What is changed on one node is seen there at once and on the other soon, though both remember otherwise.
async fn check(
    change: impl AsyncFnOnce(&World, &mut dyn WriteTx),
    is_seen: impl AsyncFn(&World, &PostgresStore) -> bool,
) {
    let world = World::remembered().await;
    let mut tx = world.a.write().await.unwrap();
    change(&world, tx.as_mut()).await;
    assert!(!is_seen(&world, &world.b).await, "nothing is committed yet");
    tx.commit().await.unwrap();
    assert!(is_seen(&world, &world.a).await, "the node that did it knows at once");
    within(SOON, async || is_seen(&world, &world.b).await).await;
}

#[tokio::test]
async fn an_end_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| {
            assert!(tx.end_session(world.session.id, EndReason::Revoked, moment(2)).await.unwrap().is_some());
        },
        async |world: &World, store: &PostgresStore| world.session(store).await.unwrap().is_ended,
    )
    .await;
}

#[tokio::test]
async fn the_end_of_all_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| {
            assert_eq!(tx.end_user_sessions(world.user.id, EndReason::Revoked, moment(2)).await.unwrap().len(), 1);
        },
        async |world: &World, store: &PostgresStore| world.session(store).await.unwrap().is_ended,
    )
    .await;
}

#[tokio::test]
async fn a_disabled_user_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| {
            let disabled = User { status: Status::Disabled, ..world.user.clone() };
            assert!(tx.update_user(&disabled).await.unwrap());
        },
        async |world: &World, store: &PostgresStore| {
            world.session(store).await.unwrap().status == Status::Disabled
                && key(store, &world.user_key).await.unwrap().status == Status::Disabled
        },
    )
    .await;
}

#[tokio::test]
async fn a_deleted_user_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| assert!(tx.delete_user(world.user.id).await.unwrap()),
        async |world: &World, store: &PostgresStore| {
            world.session(store).await.is_none() && key(store, &world.user_key).await.is_none()
        },
    )
    .await;
}

#[tokio::test]
async fn a_disabled_service_account_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| {
            let disabled = ServiceAccount { status: Status::Disabled, ..world.account.clone() };
            tx.update_service_account(&disabled).await.unwrap();
        },
        async |world: &World, store: &PostgresStore| {
            key(store, &world.account_key).await.unwrap().status == Status::Disabled
        },
    )
    .await;
}

#[tokio::test]
async fn a_role_of_less_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| {
            tx.update_role(&Role { permissions: Permissions::NONE, ..world.role.clone() }).await.unwrap();
        },
        async |world: &World, store: &PostgresStore| {
            world.session(store).await.unwrap().permissions == Permissions::NONE
                && key(store, &world.user_key).await.unwrap().permissions == Permissions::NONE
        },
    )
    .await;
}

#[tokio::test]
async fn a_deleted_key_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| assert!(tx.delete_api_key(world.account_key.id).await.unwrap()),
        async |world: &World, store: &PostgresStore| key(store, &world.account_key).await.is_none(),
    )
    .await;
}

#[tokio::test]
async fn a_rotated_key_is_seen_by_the_other_node() {
    check(
        async |world: &World, tx: &mut dyn WriteTx| {
            let (id, from_version) = (world.user_key.id, world.user_key.version);
            let (secret_hash, previous_until, at) = ([3; 32], moment(9), moment(2));
            let rotation = KeyRotation { id, from_version, secret_hash, previous_until, at };
            assert!(tx.rotate_api_key(&rotation).await.unwrap());
        },
        async |world: &World, store: &PostgresStore| key(store, &world.user_key).await.unwrap().secret_hash == [3; 32],
    )
    .await;
}

#[tokio::test]
async fn a_refresh_is_seen_at_once_where_it_was_done() {
    let world = World::remembered().await;
    let mut tx = world.a.write().await.unwrap();
    let (id, idle_expires_at, at) = (world.session.id, moment(2_000), moment(2));
    assert!(tx.rotate_session(&Rotation { id, from_generation: 0, at, idle_expires_at }).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!(world.session(&world.a).await.unwrap().generation, 1);
    within(WITHOUT_NOTIFICATION, async || world.session(&world.b).await.unwrap().generation == 1).await;
}

#[tokio::test]
async fn a_change_with_an_event_is_seen_by_the_other_node_when_the_event_has_its_position() {
    for is_assigned_by_the_other in [false, true] {
        let world = World::remembered().await;
        let mut tx = world.a.write().await.unwrap();
        assert!(tx.end_session(world.session.id, EndReason::Revoked, moment(2)).await.unwrap().is_some());
        tx.record_event(build::event(1));
        tx.record_event(build::event(2));
        tx.commit().await.unwrap();
        assert!(world.session(&world.a).await.unwrap().is_ended, "the node that did it knows at once");
        if is_assigned_by_the_other {
            // The first node may be gone by now.
            assert_eq!(world.b.seal_events().await.unwrap(), 2);
            assert!(world.session(&world.b).await.unwrap().is_ended, "before it reads the events");
        } else {
            assert_eq!(world.a.seal_events().await.unwrap(), 2);
            within(SOON, async || world.session(&world.b).await.unwrap().is_ended).await;
        }
    }
}

#[tokio::test]
async fn what_is_remembered_is_not_asked_for_again_but_seconds_later() {
    let mut world = World::remembered().await;
    world.end_silently().await;
    // The database knows better; whoever does not ask it cannot know.
    assert!(!world.session(&world.a).await.unwrap().is_ended);
    assert!(!world.session(&world.b).await.unwrap().is_ended);
    within(WITHOUT_NOTIFICATION, async || {
        world.session(&world.a).await.unwrap().is_ended && world.session(&world.b).await.unwrap().is_ended
    })
    .await;
}

#[tokio::test]
async fn what_was_rolled_back_makes_nobody_forget() {
    let mut world = World::remembered().await;
    let mut tx = world.a.write().await.unwrap();
    assert!(tx.end_session(world.session.id, EndReason::Revoked, moment(2)).await.unwrap().is_some());
    drop(tx);
    world.end_silently().await;
    assert!(!world.session(&world.a).await.unwrap().is_ended);
    assert!(!world.session(&world.b).await.unwrap().is_ended);
}

#[tokio::test]
async fn whoever_was_cut_off_hears_again_and_forgets_what_they_missed() {
    let mut world = World::remembered().await;
    let before = world.listeners().await;
    for pid in &before {
        sqlx::query("SELECT pg_terminate_backend($1, 5000)").bind(pid).execute(&mut world.outsider).await.unwrap();
    }
    world.end_silently().await;
    within(WITHOUT_NOTIFICATION, async || world.session(&world.b).await.unwrap().is_ended).await;

    world.wait_for_listeners(2).await;
    assert!(world.listeners().await.iter().all(|pid| !before.contains(pid)));
    sleep(Duration::from_millis(250)).await;
    world.read_all().await;
    let mut tx = world.a.write().await.unwrap();
    assert!(tx.delete_api_key(world.user_key.id).await.unwrap());
    tx.commit().await.unwrap();
    within(SOON, async || key(&world.b, &world.user_key).await.is_none()).await;
}

#[tokio::test]
async fn nobody_listens_before_there_is_something_to_forget_or_after_the_end() {
    let mut world = World::new().await;
    world.b.ping().await.unwrap();
    assert_eq!(world.listeners().await, Vec::<i32>::new());
    world.read_all().await;
    world.wait_for_listeners(2).await;
    world.a.close().await;
    world.wait_for_listeners(1).await;
    drop(std::mem::replace(&mut world.b, PostgresStore::open(&PostgresOptions::new(world.database.url())).unwrap()));
    world.wait_for_listeners(0).await;
}
