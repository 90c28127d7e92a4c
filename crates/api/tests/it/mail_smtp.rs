//! Mail over SMTP, to a real server in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use denizen::app::Ambience;
use denizen_domain::ports::Clock;
use denizen_testkit::{FakeClock, SeededRandom, build};
use sqlx::{Connection, PgConnection};

use crate::harness::{TestApp, World, eventually, on_both, timed};
use crate::process::Process;
use crate::smtp::{Certificates, DELIVERY, MailServer, Settings, becomes_empty, enqueue, is_empty, store_of};

/// A server under a clock that stands still, so that nothing comes due by itself.
async fn serve_at(world: &World, clock: &Arc<FakeClock>, settings: &Settings) -> TestApp {
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    world.serve_in(&settings.pairs(), Ambience { clock, random: Arc::new(SeededRandom::new(1)) }).await
}

async fn enqueue_now(app: &TestApp, addresses: &[&str]) {
    enqueue(app.services.store.as_ref(), app.services.clock.now(), addresses).await;
}

on_both! {
    async fn mail_arrives_by_starttls_and_sign_in(world: World) {
        let certificates = Certificates::make(world.folder());
        let mut arguments = vec!["--tls", "starttls", "--user", "denizen", "--password", "pässword"];
        arguments.extend(certificates.arguments());
        let server = MailServer::start_with(0, &arguments).await;
        let settings = server
            .settings()
            .with("mail.smtp_tls", "starttls")
            .with("mail.smtp_ca_file", &certificates.authority)
            .with("mail.smtp_user", "denizen")
            .with("mail.smtp_password", "pässword");
        let app = world.serve(&settings.pairs()).await;
        enqueue_now(&app, &["ada@example.com"]).await;
        let mail = server.event("mail", "ada@example.com").await;
        assert_eq!((&mail["tls"], &mail["user"]), (&true.into(), &"denizen".into()), "{mail}");
        assert_eq!(mail["sender"], "no-reply@example.com");
        assert_eq!(mail["subject"], "Your Denizen password was changed");
        assert!(mail["id"].as_str().unwrap().ends_with("@example.com>"), "{mail}");
        for part in ["text", "html"] {
            assert!(mail[part].as_str().unwrap().contains("was changed on"), "{mail}");
        }
        becomes_empty(app.services.store.as_ref()).await;
        // The next one goes through the same connection.
        enqueue_now(&app, &["bob@example.com"]).await;
        let next = server.event("mail", "bob@example.com").await;
        assert_eq!(next["peer"], mail["peer"]);
        becomes_empty(app.services.store.as_ref()).await;
        assert_eq!(server.events("mail", "").len(), 2);
    }

    async fn mail_arrives_by_tls(world: World) {
        let certificates = Certificates::make(world.folder());
        let mut arguments = vec!["--tls", "implicit"];
        arguments.extend(certificates.arguments());
        let server = MailServer::start_with(0, &arguments).await;
        let settings = server.settings().with("mail.smtp_tls", "tls");
        let settings = settings.with("mail.smtp_ca_file", &certificates.authority);
        let app = world.serve(&settings.pairs()).await;
        enqueue_now(&app, &["ada@example.com"]).await;
        assert_eq!(server.event("mail", "ada@example.com").await["tls"], true);
        becomes_empty(app.services.store.as_ref()).await;
    }

    async fn a_server_that_is_not_trusted_gets_nothing(world: World) {
        let certificates = Certificates::make(world.folder());
        let mut arguments = vec!["--tls", "starttls"];
        arguments.extend(certificates.arguments());
        let unknown = MailServer::start_with(0, &arguments).await;
        let plain = MailServer::start().await;
        for server in [&unknown, &plain] {
            let settings = server.settings().with("mail.smtp_tls", "starttls");
            let process = Process::start(&world, &settings.pairs()).await;
            let store = store_of(&world).await;
            let now = denizen_now();
            enqueue(store.as_ref(), now, &["ada@example.com"]).await;
            eventually("the server says why", DELIVERY, async || process.log().contains("retrying later")).await;
            let log = process.log();
            assert!(log.contains("STARTTLS with the mail server"), "{log}");
            assert!(!log.contains("ada@example.com"), "{log}");
            assert!(!is_empty(store.as_ref()).await, "it stays in the outbox");
            assert_eq!(server.events("mail", "").len(), 0);
            process.kill().await;
        }
    }

    async fn a_wrong_password_loses_no_mail(world: World) {
        let server = MailServer::start_with(0, &["--user", "denizen", "--password", "right"]).await;
        let settings = server.settings().with("mail.smtp_user", "denizen");
        let app = world.serve(&settings.clone().with("mail.smtp_password", "wrong").pairs()).await;
        enqueue_now(&app, &["ada@example.com"]).await;
        server.event("refused", "").await;
        assert!(!is_empty(app.services.store.as_ref()).await);
        drop(app);
        // The operator mends it; the mail is due again soon.
        let _app = world.serve(&settings.with("mail.smtp_password", "right").pairs()).await;
        server.event("mail", "ada@example.com").await;
    }

    async fn what_is_put_off_is_tried_again(world: World) {
        let server = MailServer::start().await;
        let clock = Arc::new(FakeClock::default());
        let app = serve_at(&world, &clock, &server.settings()).await;
        let store = app.services.store.as_ref();
        enqueue_now(&app, &["busy@example.com", "ada@example.com"]).await;
        server.event("refused", "busy@example.com").await;
        server.event("mail", "ada@example.com").await;
        // Put back: no longer ours, and not yet due.
        let is_put_back = async || {
            let mut read = store.read().await.unwrap();
            let is_due = async |read: &mut dyn denizen_domain::store::ReadTx, after_s| {
                read.is_mail_due(clock.now().plus_seconds(after_s)).await.unwrap()
            };
            !is_due(&mut *read, 2).await && is_due(&mut *read, 5).await
        };
        eventually("it is put back", DELIVERY, is_put_back).await;
        assert_eq!(server.events("mail", "busy@example.com").len(), 0);
        clock.advance_s(5);
        server.event("mail", "busy@example.com").await;
        becomes_empty(store).await;
        assert_eq!(server.events("mail", "").len(), 2, "each once");
    }

    async fn what_is_refused_for_good_is_dropped(world: World) {
        let server = MailServer::start().await;
        let process = Process::start(&world, &server.settings().pairs()).await;
        let store = store_of(&world).await;
        enqueue(store.as_ref(), denizen_now(), &["refused@example.com", "full@example.com", "ada@example.com"]).await;
        server.event("mail", "ada@example.com").await;
        becomes_empty(store.as_ref()).await;
        for address in ["refused@example.com", "full@example.com"] {
            assert_eq!(server.events("refused", address).len(), 1, "{address} is asked once");
        }
        let told = async || process.log().matches("mail rejected, dropping it").count() == 2;
        eventually("both are told", DELIVERY, told).await;
        let log = process.log();
        assert!(log.contains("the mail server responded 550") && log.contains("the mail server responded 552"), "{log}");
        assert!(!log.contains("@example.com"), "an address is in the log: {log}");
    }

    async fn a_server_that_hangs_holds_up_nobody_else(world: World) {
        let server = MailServer::start().await;
        let app = world.serve(&server.settings().with("mail.smtp_timeout_s", "3").pairs()).await;
        enqueue_now(&app, &["hang@example.com"]).await;
        server.event("hangs", "hang@example.com").await;
        let ((), taken) = timed(async {
            enqueue_now(&app, &["ada@example.com", "bob@example.com"]).await;
            server.event("mail", "ada@example.com").await;
            server.event("mail", "bob@example.com").await;
        })
        .await;
        assert!(taken < Duration::from_secs(3), "others waited {taken:?}");
        // It is given up, and tried again.
        let is_tried_again = async || server.events("hangs", "hang@example.com").len() > 1;
        eventually("it is tried again", DELIVERY, is_tried_again).await;
    }

    async fn mail_waits_for_its_server_and_for_ours(world: World) {
        let server = MailServer::start().await;
        let (port, settings) = (server.port, server.settings());
        server.stop().await;
        let addresses: Vec<String> = (0..20).map(|n| format!("user{n}@example.com")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let process = Process::start(&world, &settings.pairs()).await;
        let store = store_of(&world).await;
        enqueue(store.as_ref(), denizen_now(), &addresses).await;
        eventually("it is noticed", DELIVERY, async || process.log().contains("retrying later")).await;
        process.terminate().await;
        assert!(process.ended(DELIVERY).await.success());

        let server = MailServer::start_with(port, &[]).await;
        let _process = Process::start(&world, &settings.pairs()).await;
        becomes_empty(store.as_ref()).await;
        for address in addresses {
            assert_eq!(server.events("mail", address).len(), 1, "{address}");
        }
    }

    async fn two_nodes_share_the_work(world: World) {
        let server = MailServer::start().await;
        let addresses: Vec<String> = (0..60).map(|n| format!("user{n}@example.com")).collect();
        let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
        let store = store_of(&world).await;
        let (_one, _other) = (world.serve(&server.settings().pairs()).await, world.serve(&server.settings().pairs()).await);
        enqueue(store.as_ref(), denizen_now(), &addresses).await;
        becomes_empty(store.as_ref()).await;
        for address in addresses {
            assert_eq!(server.events("mail", address).len(), 1, "{address}");
        }
    }

    async fn whoever_stops_finishes_what_is_being_sent(world: World) {
        let server = MailServer::start().await;
        let process = Process::start(&world, &server.settings().pairs()).await;
        let store = store_of(&world).await;
        enqueue(store.as_ref(), denizen_now(), &["slow@example.com"]).await;
        server.event("slow", "slow@example.com").await;
        process.terminate().await;
        assert!(process.ended(DELIVERY).await.success());
        assert_eq!(server.events("mail", "slow@example.com").len(), 1);
        assert!(is_empty(store.as_ref()).await, "what was sent is not sent again");
    }

    async fn what_expired_is_dropped_unsent(world: World) {
        let server = MailServer::start().await;
        let clock = Arc::new(FakeClock::at(build::moment(7_200)));
        let store = store_of(&world).await;
        enqueue(store.as_ref(), build::moment(3_600), &["late@example.com"]).await;
        enqueue(store.as_ref(), build::moment(3_601), &["ada@example.com"]).await;
        let _app = serve_at(&world, &clock, &server.settings()).await;
        server.event("mail", "ada@example.com").await;
        becomes_empty(store.as_ref()).await;
        assert_eq!(server.events("mail", "").len(), 1);
    }

    async fn what_another_release_wrote_holds_up_nothing(world: World) {
        let Some(database) = &world.database else { return };
        let server = MailServer::start().await;
        let app = world.serve(&server.settings().pairs()).await;
        let mut connection = PgConnection::connect(database.url()).await.unwrap();
        let insert = "INSERT INTO outbox (id, kind, recipient, name, created_at, expires_at, attempts, due_at)
            SELECT md5(n::text)::uuid, 'carrier_pigeon', 'ada@example.com', 'Ada', 0, 9e15, 0, 0
            FROM generate_series(1, 20) AS n";
        sqlx::query(insert).execute(&mut connection).await.unwrap();
        enqueue_now(&app, &["bob@example.com"]).await;
        server.event("mail", "bob@example.com").await;
        let left: i64 = sqlx::query_scalar("SELECT count(*) FROM outbox WHERE kind = 'carrier_pigeon'")
            .fetch_one(&mut connection)
            .await
            .unwrap();
        assert_eq!(left, 20, "they are left for the release that can read them");
    }
}

fn denizen_now() -> denizen_domain::time::Timestamp {
    Ambience::default().clock.now()
}
