//! How many round trips to the database each use of the store takes. A proxy between them counts what the store sends.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use denizen_domain::access::Subject;
use denizen_domain::authority::AuthorityLock;
use denizen_domain::credentials::PasswordHash;
use denizen_domain::events::NewEvent;
use denizen_domain::sessions::store::{Displacement, Opened, Opening, Rotation};
use denizen_domain::sessions::{EndReason, Session};
use denizen_domain::store::Store;
use denizen_domain::users::User;
use denizen_infra_postgres::{PostgresOptions, PostgresStore, migrate};
use denizen_testkit::build::{self, moment};
use denizen_testkit::postgres::PostgresDatabase;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};

/// How many messages of clients ended a round trip: `Query` and `Sync` of the protocol of PostgreSQL.
type Count = Arc<AtomicU64>;

/// A store behind a proxy.
struct World {
    store: PostgresStore,
    count: Count,
    admin: User,
    user: User,
    session: Session,
    sessions_of_user: Vec<Session>,
    _database: PostgresDatabase,
}

impl World {
    async fn new() -> Self {
        let database = PostgresDatabase::create().await;
        migrate(&PostgresOptions::new(database.url())).await.unwrap();
        let (proxy, count) = proxy(database.url()).await;
        let (scheme, rest) = database.url().split_once("://").unwrap();
        let (authority, name) = rest.rsplit_once('/').unwrap();
        let user_info = authority.rsplit_once('@').map_or(String::new(), |(user_info, _)| format!("{user_info}@"));
        let url = format!("{scheme}://{user_info}{proxy}/{name}?sslmode=disable");
        let store = PostgresStore::open(&PostgresOptions { max_connections: 1, ..PostgresOptions::new(url) }).unwrap();
        let (admin, user) = (build::user(1), build::user(2));
        let session = build::session(&admin, 1);
        let sessions_of_user: Vec<_> = (10..16).map(|n| build::session(&user, n)).collect();
        let mut tx = store.write().await.unwrap();
        for user in [&admin, &user] {
            assert!(tx.insert_user(user).await.unwrap());
        }
        for session in sessions_of_user.iter().chain([&session]) {
            tx.insert_session(session).await.unwrap();
        }
        tx.commit().await.unwrap();
        Self { store, count, admin, user, session, sessions_of_user, _database: database }
    }

    /// The round trips of something, once its statements are prepared: it is done with 0, 1 and 2.
    async fn count(&self, work: impl AsyncFn(u32)) -> u64 {
        work(0).await;
        work(1).await;
        let before = self.count.load(Ordering::SeqCst);
        work(2).await;
        self.count.load(Ordering::SeqCst) - before
    }

    fn locks(&self) -> Vec<AuthorityLock> {
        AuthorityLock::on_behalf_of(Subject::User(self.admin.id), &self.admin.role, &[self.user.id.into()])
    }
}

#[tokio::test]
async fn a_change_of_a_user_is_four() {
    let world = World::new().await;
    let count = world.count(async |n| {
        let mut tx = world.store.write_under(&world.locks()).await.unwrap();
        assert!(tx.session_state(world.session.id).await.unwrap().is_some());
        let user = tx.lock_user(world.user.id).await.unwrap().unwrap();
        assert!(tx.update_user(&User { version: user.version + 1, ..user }).await.unwrap());
        tx.record_event(build::event(n));
        tx.commit().await.unwrap();
    });
    // Begin and lock; the caller's authority and the user; the change; the event and the commit.
    assert_eq!(count.await, 4);
}

#[tokio::test]
async fn an_end_of_a_session_is_six() {
    let world = World::new().await;
    let count = world.count(async |n| {
        let id = world.sessions_of_user[n as usize].id;
        // The use case asks whose session it is.
        assert!(world.store.read().await.unwrap().session_state(id).await.unwrap().is_some());
        let mut tx = world.store.write_under(&world.locks()).await.unwrap();
        assert!(tx.session_state(world.session.id).await.unwrap().is_some());
        assert!(tx.find_user(world.user.id).await.unwrap().is_some());
        assert!(tx.end_session(id, EndReason::Revoked, moment(2)).await.unwrap().is_some());
        tx.remove_email_change_by(world.user.id, id).await.unwrap();
        tx.remove_one_time_tokens(world.user.id, &[]).await.unwrap();
        tx.record_event(build::event(n));
        tx.commit().await.unwrap();
    });
    // That question; begin and lock; the caller's authority and the user; the end; a pending change; the event and the commit.
    assert_eq!(count.await, 6);
}

#[tokio::test]
async fn an_opening_of_a_session_is_eight() {
    let world = World::new().await;
    let proven = PasswordHash::from_encoded("a hash".to_owned());
    let mut tx = world.store.write().await.unwrap();
    tx.set_password(world.user.id, &proven, moment(1)).await.unwrap();
    tx.commit().await.unwrap();
    let count = world.count(async |n| {
        let opening = Opening {
            session: build::session(&world.user, 100 + n),
            proven: proven.clone(),
            renewed: None,
            forgiven: Vec::new(),
            event: build::event(n),
            displacement: Displacement { keep: 100, events: [build::event(n), build::event(n)] },
        };
        assert!(matches!(world.store.open_session(&opening).await.unwrap(), Opened::Session(_)));
    });
    // Begin and lock; the user; the password; the second factor; the time of the sign-in; the session; sessions beyond the
    // bound; the event and the commit.
    assert_eq!(count.await, 8);
}

#[tokio::test]
async fn an_end_of_all_sessions_is_four() {
    let world = World::new().await;
    let count = world.count(async |n| {
        let mut tx = world.store.write_under(&world.locks()).await.unwrap();
        assert!(tx.session_state(world.session.id).await.unwrap().is_some());
        let ended = tx.end_user_sessions(world.user.id, EndReason::Revoked, moment(2)).await.unwrap();
        assert_eq!(ended.len(), if n == 0 { world.sessions_of_user.len() } else { 0 });
        for part in 0..6 {
            tx.record_event(build::event(n * 10 + part));
        }
        tx.commit().await.unwrap();
    });
    // However many sessions there are.
    assert_eq!(count.await, 4);
}

#[tokio::test]
async fn a_refresh_and_a_read_are_one() {
    let world = World::new().await;
    let count = world.count(async |n| {
        let (id, idle_expires_at, at) = (world.session.id, moment(2_000), moment(2 + n));
        let rotation = Rotation { id, from_generation: n.into(), at, idle_expires_at };
        assert!(world.store.rotate_session(&rotation).await.unwrap().is_rotated);
    });
    assert_eq!(count.await, 1);
    let count = world.count(async |_| drop(world.store.read().await.unwrap().find_user(world.user.id).await.unwrap()));
    assert_eq!(count.await, 1);
}

#[tokio::test]
async fn positions_of_many_events_are_two_and_none_are_one() {
    let world = World::new().await;
    let record = async |events: Vec<NewEvent>| {
        for event in events {
            let mut tx = world.store.write().await.unwrap();
            tx.record_event(event);
            tx.commit().await.unwrap();
        }
    };
    for n in 0..2 {
        record(vec![build::event(n)]).await;
        assert_eq!(world.store.seal_events().await.unwrap(), 1);
    }
    record((10..60).map(build::event).collect()).await;
    let before = world.count.load(Ordering::SeqCst);
    assert_eq!(world.store.seal_events().await.unwrap(), 50);
    let between = world.count.load(Ordering::SeqCst);
    assert_eq!(world.store.seal_events().await.unwrap(), 0);
    let after = world.count.load(Ordering::SeqCst);
    assert_eq!((between - before, after - between), (2, 1));
}

/// A proxy to the server of this URL.
async fn proxy(url: &str) -> (SocketAddr, Count) {
    let (_, rest) = url.split_once("://").unwrap();
    let (authority, _) = rest.rsplit_once('/').unwrap();
    let server = authority.rsplit_once('@').map_or(authority, |(_, server)| server).to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Count::default();
    let counted = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(&server).await.unwrap();
            let ((from_client, mut to_client), (mut from_server, to_server)) =
                (client.into_split(), server.into_split());
            tokio::spawn(forward(from_client, to_server, Arc::clone(&counted)));
            tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
        }
    });
    (address, count)
}

/// Forwards what a client sends, message by message. The first one has no type.
async fn forward(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, count: Count) -> std::io::Result<()> {
    let length = from.read_u32().await?;
    to.write_all(&length.to_be_bytes()).await?;
    pass(&mut from, &mut to, length).await?;
    loop {
        let (kind, length) = (from.read_u8().await?, from.read_u32().await?);
        if matches!(kind, b'Q' | b'S') {
            count.fetch_add(1, Ordering::SeqCst);
        }
        to.write_all(&[&[kind], &length.to_be_bytes()[..]].concat()).await?;
        pass(&mut from, &mut to, length).await?;
    }
}

/// Forwards the rest of a message, whose length counts itself.
async fn pass(from: &mut OwnedReadHalf, to: &mut OwnedWriteHalf, length: u32) -> std::io::Result<()> {
    let mut rest = vec![0; length as usize - 4];
    from.read_exact(&mut rest).await?;
    to.write_all(&rest).await
}
