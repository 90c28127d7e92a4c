//! Mail in development, and how the server starts with it or without.

use std::fs;
use std::path::Path;

use denizen_domain::auth_methods::Authenticated;
use denizen_domain::challenges::{Challenge, ChallengeKind};
use denizen_domain::id::{ChallengeId, OneTimeTokenId};
use denizen_domain::mail::{Mail, MailSubject};
use denizen_testkit::build;
use uuid::Uuid;

use crate::harness::{Db, World, eventually, on_both};
use crate::process::{Process, command, run, run_on};
use crate::smtp::{DELIVERY, becomes_empty, store_of};

/// The files of a folder of mail.
fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

on_both! {
    async fn development_shows_links_and_codes(world: World) {
        // The folder by default is below the working folder.
        let process = Process::start(&world, &[("mail.folder", "")]).await;
        let store = store_of(&world).await;
        let now = denizen::app::Ambience::default().clock.now();
        let mut tx = store.write().await.unwrap();
        // A code is sent for a challenge that somebody has.
        let user = build::user(1);
        assert!(tx.insert_user(&user).await.unwrap());
        let challenge = Challenge {
            id: ChallengeId::from_uuid(Uuid::from_u128(2)),
            user_id: Some(user.id),
            kind: ChallengeKind::MailedCode,
            authenticated: Authenticated::default(),
            label: None,
            tries_left: 5,
            created_at: now,
            expires_at: now.plus_seconds(600),
        };
        tx.insert_challenge(&challenge).await.unwrap();
        let subjects = [
            MailSubject::PasswordReset(OneTimeTokenId::from_uuid(Uuid::from_u128(1))),
            MailSubject::SignInCode(ChallengeId::from_uuid(Uuid::from_u128(2))),
            MailSubject::PasswordChanged,
        ];
        for (n, subject) in (1..).zip(subjects) {
            let mail = Mail { subject, created_at: now, expires_at: now.plus_seconds(600), ..build::mail(n) };
            tx.enqueue_mail(&mail).await.unwrap();
        }
        tx.commit().await.unwrap();
        becomes_empty(store.as_ref()).await;

        let folder = world.folder().join("data/mail");
        let files = files(&folder);
        assert_eq!(files.len(), 3, "{files:?}");
        for file in &files {
            assert_eq!(file.extension().unwrap(), "eml");
            #[cfg(unix)]
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(file).unwrap().permissions()) & 0o777, 0o600);
        }
        let url = &process.url;
        let link = format!("mail written with a link: {url}/account/reset-password?token=dno_");
        eventually("the log shows them", DELIVERY, async || {
            let log = process.log();
            log.contains(&link) && log.contains("mail written with a code: ")
        })
        .await;
    }
}

#[tokio::test]
async fn without_mail_the_server_says_what_does_not_work() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = command(folder.path());
    command.env("APP_ENV", "prod").env("DENIZEN__SERVER__PORT", "0");
    let mut child = command.arg("serve").spawn().unwrap();
    let mut stderr = tokio::io::BufReader::new(child.stderr.take().unwrap());
    let mut log = String::new();
    while !log.contains("denizen is ready at") {
        let read = tokio::io::AsyncBufReadExt::read_line(&mut stderr, &mut log).await.unwrap();
        assert!(read > 0, "it ended: {log}");
    }
    child.kill().await.unwrap();
    assert_eq!(log.matches("no mail is sent").count(), 1, "{log}");
    assert!(!folder.path().join("data/mail").exists());
}

#[tokio::test]
async fn what_contradicts_itself_stops_the_start_with_one_line() {
    let smtp = ("mail.smtp_host", "mail.example.com");
    let from = ("mail.from", "no-reply@example.com");
    let url = ("server.public_url", "https://accounts.example.com");
    for (settings, expected) in [
        (&[smtp, from, url, ("mail.folder", "mail")][..], "mail.folder"),
        (&[smtp, url], "mail.from"),
        (&[smtp, from], "server.public_url"),
        (&[smtp, from, url, ("mail.smtp_user", "me")], "mail.smtp_password"),
        (&[smtp, from, url, ("mail.smtp_password", "me")], "mail.smtp_user"),
        (
            &[smtp, from, url, ("mail.smtp_user", "me"), ("mail.smtp_password", "s3cr3t"), ("mail.smtp_tls", "none")],
            "mail.smtp_tls",
        ),
        (&[smtp, url, ("mail.from", "nobody")], "mail.from"),
        (&[("mail.default_locale", "german")], "mail.default_locale"),
        (&[("signup.conceal_existing", "true")], "signup.conceal_existing"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = command(folder.path());
        command.env("APP_ENV", "prod");
        for (key, value) in settings {
            command.env(format!("DENIZEN__{}", key.replace('.', "__").to_uppercase()), value);
        }
        let done = run(command, &["config", "check"], "").await;
        assert!(done.code != 0 && !done.stderr.contains("s3cr3t"), "{done:?}");
        let line = done.stderr.lines().next().unwrap_or_default();
        assert!(line.contains(expected) && done.stderr.lines().count() == 1, "{expected}: {done:?}");
    }
}

#[tokio::test]
async fn a_template_that_cannot_be_read_stops_the_start_with_one_line() {
    let world = World::new(Db::Sqlite).await;
    let templates = world.folder().join("templates");
    fs::create_dir(&templates).unwrap();
    fs::write(templates.join("password_reset.html"), "<p>\n{{ lnik }}").unwrap();
    let shown = templates.display().to_string();
    let done = run_on(&world, &[("mail.templates", &shown)], &["serve"], "").await;
    let line = done.only_line(1);
    assert!(line.contains("mail.templates") && line.contains("password_reset.html"), "{line}");
}
