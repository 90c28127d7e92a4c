//! Every changing operation of the access table, and what the log says of it. What the table cannot show is in
//! `event_flows`.

use std::collections::BTreeSet;

use denizen_domain::events::{ActorKind, Event};
use reqwest::Method;

use crate::access::{CALLERS, TABLE, credential, request, send};
use crate::harness::{SignedIn, TestApp, on_both};
use crate::holders::Targets;

/// What an operation records when it is done, by somebody who may; the user that it is about has two sessions.
const RECORDED: &[(&str, &str, &[&str])] = &[
    ("api_keys.create", "oneself", &["api_key.created"]),
    ("api_keys.create for a service account", "an admin", &["api_key.created"]),
    ("api_keys.delete", "oneself", &["api_key.deleted"]),
    ("api_keys.rotate", "oneself", &["api_key.rotated"]),
    ("email_changes.create", "oneself", &["user.link_created", "user.email_change_requested"]),
    ("invitations.create", "an admin", &["user.created", "user.invited", "user.link_created"]),
    ("me.change_password", "oneself", &["password.changed", "session.ended"]),
    ("me.totp.create", "oneself", &["factor.enrolment_started"]),
    ("oauth2.revoke", "nobody", &["session.ended"]),
    ("roles.create", "an admin", &["role.created"]),
    ("roles.delete", "an admin", &["role.deleted"]),
    ("roles.replace", "an admin", &["role.updated"]),
    ("service_accounts.create", "an admin", &["service_account.created"]),
    ("service_accounts.delete", "an admin", &["service_account.deleted"]),
    ("service_accounts.replace", "an admin", &["service_account.updated"]),
    ("service_accounts.update", "an admin", &["service_account.updated"]),
    ("sessions.create", "nobody", &["session.started"]),
    ("sessions.end", "an admin", &["session.ended"]),
    ("sessions.end_all", "oneself", &["session.ended", "session.ended"]),
    ("sessions.end_all of a user", "an admin", &["session.ended", "session.ended"]),
    ("sessions.end_current", "oneself", &["session.ended"]),
    ("sessions.step_up", "oneself", &["session.proven"]),
    ("signing_keys.rotate", "an admin", &["signing_key.rotated"]),
    ("signing_keys.withdraw", "an admin", &["signing_key.withdrawn"]),
    ("users.create", "nobody", &["user.created", "user.link_created"]),
    ("users.create with a role", "an admin", &["user.created", "user.link_created"]),
    ("users.delete", "an admin", &["session.ended", "session.ended", "user.deleted"]),
    ("users.import", "an admin", &["user.created"]),
    ("users.replace", "oneself", &["user.updated"]),
    ("users.replace with a role", "an admin", &["user.updated"]),
    ("users.update", "oneself", &["user.updated"]),
    ("users.update with a role", "an admin", &["user.updated"]),
    ("users.update with a status", "an admin", &["user.updated", "user.disabled", "session.ended", "session.ended"]),
    ("providers.create", "an admin", &["provider.created"]),
    ("providers.delete", "an admin", &["provider.deleted"]),
    ("providers.replace", "an admin", &["provider.updated"]),
    ("providers.update", "an admin", &["provider.updated"]),
    ("webhooks.create", "an admin", &["webhook.created"]),
    ("webhooks.delete", "an admin", &["webhook.deleted"]),
    ("webhooks.replace", "an admin", &["webhook.updated"]),
    ("webhooks.rotate_secret", "an admin", &["webhook.secret_rotated"]),
    ("webhooks.update", "an admin", &["webhook.updated"]),
];

/// What records nothing although it is done, and why.
const SILENT: &[(&str, &str, &str)] = &[
    (
        "email_verifications.create",
        "nobody",
        "a wish: the link is recorded when it is made, if anybody has the address",
    ),
    ("events.tickets.create", "oneself", "it opens one stream, for half a minute"),
    ("oauth2.introspect", "a program", "it reads"),
    ("oauth2.token", "nobody", "a refresh: it is done all the time and changes nobody's access"),
    ("password_resets.create", "nobody", "a wish: the link is recorded when it is made, if anybody has the address"),
    ("auth.nonces.create", "nobody", "it writes nothing"),
    ("me.passkeys.options", "oneself", "it writes nothing"),
    ("providers.test", "an admin", "it changes nothing"),
    ("sessions.passkeys.options", "nobody", "it writes nothing"),
    ("sessions.refresh", "nobody", "it is done all the time and changes nobody's access"),
    ("sessions.request_code", "nobody", "whether anybody has the address is not told, and nothing is open yet"),
    ("users.restore", "an admin", "no deletion is scheduled"),
    ("webhooks.replay", "an admin", "it delivers again what is in the log"),
    ("webhooks.test", "an admin", "it tells something that did not happen"),
    ("sessions.request_link", "nobody", "a wish: the link is recorded when it is made, if anybody has the address"),
];

/// What the table only refuses, because it needs what a mail or an authenticator says: done in `event_flows`.
const REFUSED: &[&str] = &[
    "auth.callback_form",
    "challenges.enrol",
    "challenges.finish",
    "challenges.passkey",
    "challenges.passkey_options",
    "challenges.passkeys.create",
    "challenges.passkeys.options",
    "email_changes.confirm",
    "email_verifications.confirm",
    "invitations.accept",
    "invitations.passkeys.create",
    "invitations.passkeys.options",
    "me.identities.link",
    "me.identities.unlink",
    "me.passkeys.create",
    "me.passkeys.delete",
    "me.passkeys.update",
    "me.recovery_codes.replace",
    "me.totp.confirm",
    "me.totp.delete",
    "password_resets.confirm",
    "password_resets.passkeys.create",
    "password_resets.passkeys.options",
    "sessions.follow_link",
    "sessions.create_by_id_token",
    "sessions.exchange",
    "sessions.passkeys.create",
    "sessions.step_up_options",
    "users.factors.delete",
    "users.identities.token",
    "users.identities.unlink",
    "users.passkeys.delete",
    // There is no delivery in the table.
    "webhooks.retry",
];

/// The end of the log.
pub(crate) async fn head(app: &TestApp) -> i64 {
    app.services.store.seal_events().await.unwrap();
    app.services.store.read().await.unwrap().log_bounds().await.unwrap().head
}

/// Everything in the log after a place in it.
pub(crate) async fn records_after(app: &TestApp, after: i64) -> Vec<Event> {
    let until = head(app).await;
    let mut read = app.services.store.read().await.unwrap();
    read.events_between(after, until, 100_000).await.unwrap()
}

/// What somebody did after a place in the log. What the server did by itself meanwhile, to send mail, is left out.
async fn done_after(app: &TestApp, after: i64) -> Vec<Event> {
    let mut records = records_after(app, after).await;
    records.retain(|record| record.actor.kind != ActorKind::System);
    records
}

fn types(records: &[Event]) -> Vec<&str> {
    records.iter().map(|record| record.kind.as_str()).collect()
}

/// Does an operation, and returns the status, who did it, and what the log says of it.
async fn walk(app: &TestApp, operation: &str, who: &str) -> (u16, Option<SignedIn>, Vec<Event>) {
    let targets = Targets::around(app, app.user().await).await;
    app.sign_in(&targets.user.email).await;
    let (admin, token) = match who {
        "an admin" => {
            let admin = app.admin().await;
            let token = admin.token.clone();
            (Some(admin), Some(token))
        }
        who => (None, credential(app, who, &targets).await),
    };
    let before = head(app).await;
    let status = send(app, operation, &targets, token.as_deref()).await.status().as_u16();
    let actor = if who == "oneself" { Some(targets.user) } else { admin };
    (status, actor, done_after(app, before).await)
}

/// Whoever had to say who they are stands in every record, with where they came from and by what.
fn check_actor(operation: &str, records: &[Event], actor: &SignedIn) {
    for record in records {
        assert_eq!(record.actor.kind, ActorKind::User, "{operation}");
        assert_eq!(record.actor.id.map(|id| id.to_string()).as_deref(), Some(&*actor.id), "{operation}");
        let session = record.actor.credential.map(|(_, id)| id.to_string());
        assert_eq!(session.as_deref(), Some(&*actor.session_id), "{operation}");
        assert_eq!(record.address.map(|address| address.to_string()).as_deref(), Some("127.0.0.1"), "{operation}");
        assert!(record.about.as_str().is_some(), "{operation}");
    }
}

on_both! {
    async fn every_change_is_recorded(app: TestApp, "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true") {
        for (operation, who, expected) in RECORDED {
            let (status, actor, records) = walk(&app, operation, who).await;
            assert!((200..300).contains(&status), "{operation} by {who}: {status}");
            assert_eq!(types(&records), *expected, "{operation} by {who}");
            if let Some(actor) = actor {
                check_actor(operation, &records, &actor);
            }
        }
    }

    async fn what_changes_nothing_records_nothing(
        app: TestApp, "sign_in.mailed_codes" = "true", "sign_in.magic_links" = "true"
    ) {
        for (operation, who, _) in SILENT {
            let (status, _, records) = walk(&app, operation, who).await;
            assert!((200..300).contains(&status), "{operation} by {who}: {status}");
            assert_eq!(types(&records), [""; 0], "{operation} by {who}");
        }
        for operation in REFUSED {
            let (status, _, records) = walk(&app, operation, "oneself").await;
            assert!((400..500).contains(&status), "{operation}: {status}");
            assert_eq!(types(&records), [""; 0], "{operation}");
        }
        // Whoever may not do it leaves no trace that they did.
        let any = Targets::around(&app, app.user().await).await;
        for row in TABLE.iter().filter(|row| is_changing(&any, row.operation)) {
            let refused = CALLERS.into_iter().zip(row.expected).find(|(_, status)| *status == 403 || *status == 404);
            if let Some((who, _)) = refused {
                let (_, _, records) = walk(&app, row.operation, who).await;
                assert_eq!(types(&records), [""; 0], "{} by {who}", row.operation);
            }
        }
    }
}

fn is_changing(targets: &Targets, operation: &str) -> bool {
    request(operation, targets).0 != Method::GET
}

on_both! {
    async fn every_changing_operation_is_walked(app: TestApp) {
        let any = Targets::around(&app, app.user().await).await;
        let operations = TABLE.iter().map(|row| row.operation);
        let changing: BTreeSet<&str> = operations.filter(|operation| is_changing(&any, operation)).collect();
        let recorded = RECORDED.iter().map(|(operation, _, _)| *operation);
        let silent = SILENT.iter().map(|(operation, _, _)| *operation);
        let walked: Vec<&str> = recorded.chain(silent).chain(REFUSED.iter().copied()).collect();
        assert_eq!(walked.iter().copied().collect::<BTreeSet<_>>(), changing, "an operation records something, or says why not");
        assert_eq!(walked.len(), changing.len(), "each once");
        assert!(SILENT.iter().all(|(_, _, reason)| !reason.is_empty()));
    }
}
