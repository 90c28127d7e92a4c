//! Import and export.

use std::collections::BTreeSet;
use std::time::Duration;

use denizen_proto::v1;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Code;

use super::client::{Rpc, refused};
use crate::harness::{eventually, on_both};

const HASH: &str = "$argon2id$v=19$m=64,t=1,p=1$c2FsdHNhbHRzYWx0c2FsdA$aFvkGXxaP5iFlvJ8LYk4OEuvGxgpL1Dx2A3lsfGZzRQ";

fn row(email: &str) -> v1::ImportUser {
    v1::ImportUser { email: email.to_owned(), name: "Imported".to_owned(), ..Default::default() }
}

fn message(users: Vec<v1::ImportUser>) -> v1::ImportUsersRequest {
    v1::ImportUsersRequest { users, ..Default::default() }
}

async fn import(rpc: &Rpc, messages: Vec<v1::ImportUsersRequest>) -> v1::ImportUsersResponse {
    rpc.users().import_users(tokio_stream::iter(messages)).await.unwrap().into_inner()
}

async fn exported(rpc: &Rpc) -> Vec<v1::User> {
    let mut stream = rpc.users().export_users(v1::ExportUsersRequest {}).await.unwrap().into_inner();
    let mut users = Vec::new();
    while let Some(message) = stream.message().await.unwrap() {
        assert!(!message.users.is_empty());
        users.extend(message.users);
    }
    users
}

on_both! {
    async fn each_row_is_told(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let rows = vec![
            v1::ImportUser {
                password_hash: Some(HASH.into()),
                email_verified: Some(true),
                created_at: Some(prost_types::Timestamp { seconds: 1_000_000_000, nanos: 0 }),
                status: v1::UserStatus::Disabled.into(),
                ..row("one@example.com")
            },
            row("ONE@example.com"),
            row("nobody"),
            v1::ImportUser { password_hash: Some("secret".into()), ..row("two@example.com") },
            v1::ImportUser { role: Some("unknown".into()), ..row("three@example.com") },
            v1::ImportUser { name: "x".repeat(70_000), ..row("four@example.com") },
            v1::ImportUser { created_at: Some(prost_types::Timestamp { seconds: i64::MAX, nanos: 0 }), ..row("five@example.com") },
            row("six@example.com"),
        ];
        let told = import(&rpc, vec![message(rows), message(vec![]), message(vec![row("seven@example.com")])]).await;
        assert_eq!((told.rows, told.created, told.failed, told.dry_run), (9, 3, 6, false));
        let rows: Vec<_> = told.results.iter().map(|result| (result.row, result.faults.first().map_or("", |fault| fault.code.as_str()))).collect();
        let expected = [(1, ""), (2, "taken"), (3, "malformed"), (4, "unsupported_hash"), (5, "unknown_role"), (6, "too_long"), (7, "invalid_value"), (8, ""), (9, "")];
        assert_eq!(rows.iter().map(|(row, _)| *row).collect::<Vec<_>>(), expected.iter().map(|(row, _)| *row).collect::<Vec<_>>());
        for ((_, got), (row, code)) in rows.iter().zip(expected) {
            assert!(*got == code || row == 3 && !got.is_empty(), "row {row}: {got}");
        }
        assert!(!format!("{told:?}").contains("secret"));
        let one = rpc.users().get_user(v1::GetUserRequest { id: told.results[0].user_id.clone() }).await.unwrap().into_inner().user.unwrap();
        assert!(one.email_verified);
        assert_eq!((one.status(), one.created_at.unwrap().seconds), (v1::UserStatus::Disabled, 1_000_000_000));
    }

    async fn a_dry_run_keeps_nothing(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let first = v1::ImportUsersRequest { users: vec![row("one@example.com")], dry_run: true, ..Default::default() };
        let told = import(&rpc, vec![first, message(vec![row("two@example.com")])]).await;
        assert_eq!((told.created, told.dry_run), (2, true));
        assert_eq!(exported(&rpc).await.len(), 1);
        assert_eq!(import(&rpc, vec![]).await.rows, 0, "an empty stream is no error");
    }

    async fn conflicts_ids_and_credentials_are_as_over_rest(app: TestApp) {
        const ID: &str = "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d01";
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let text = |text: &str| prost_types::Value { kind: Some(prost_types::value::Kind::StringValue(text.to_owned())) };
        let object = |name: &str, value: prost_types::Value| prost_types::Struct { fields: [(name.to_owned(), value)].into() };
        let nested = |inner| prost_types::Value { kind: Some(prost_types::value::Kind::StructValue(inner)) };
        let totp = object("totp", nested(object("secret", text("JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"))));
        let with = |credentials| v1::ImportUser {
            id: Some(ID.to_owned()),
            password_hash: Some(HASH.into()),
            credentials: Some(credentials),
            ..row("one@example.com")
        };
        let send = |user, on_conflict: v1::ImportConflict| v1::ImportUsersRequest {
            users: vec![user],
            keep_ids: true,
            on_conflict: on_conflict.into(),
            ..Default::default()
        };
        let told = import(&rpc, vec![send(with(totp.clone()), v1::ImportConflict::Fail)]).await;
        assert_eq!((told.created, told.results[0].user_id.as_str()), (1, ID));
        let told = import(&rpc, vec![send(with(totp.clone()), v1::ImportConflict::Skip)]).await;
        assert_eq!((told.created, told.skipped), (0, 1));
        let told = import(&rpc, vec![send(with(totp.clone()), v1::ImportConflict::Update)]).await;
        assert_eq!((told.updated, told.skipped), (0, 1), "nothing changed");
        let renamed = v1::ImportUser { name: "Renamed".to_owned(), ..with(totp.clone()) };
        assert_eq!(import(&rpc, vec![send(renamed, v1::ImportConflict::Update)]).await.updated, 1);
        let told = import(&rpc, vec![send(with(totp), v1::ImportConflict::Fail)]).await;
        assert_eq!((told.stopped, told.results[0].faults[0].field.as_str()), (true, "id"));
        let told = import(&rpc, vec![send(with(object("shoes", text("42"))), v1::ImportConflict::Refuse)]).await;
        assert_eq!(told.results[0].faults[0].field, "credentials.shoes");
        assert!(!format!("{told:?}").contains("JBSW"));
    }

    async fn what_was_imported_is_exported_whole(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let emails: Vec<String> = (0..1_203).map(|at| format!("user.{at}@example.com")).collect();
        let messages = emails.chunks(100).map(|part| message(part.iter().map(|email| row(email)).collect()));
        let told = import(&rpc, messages.collect()).await;
        assert_eq!((told.rows, told.created), (1_203, 1_203));
        assert_eq!(told.results.len(), 1_000, "the rest is counted");
        let users = exported(&rpc).await;
        assert!(users.is_sorted_by(|one, next| one.id > next.id), "newest first");
        let got: BTreeSet<_> = users.into_iter().map(|user| user.email).filter(|email| *email != admin.email).collect();
        assert_eq!(got, emails.into_iter().collect());
    }

    async fn who_loses_the_right_amid_an_import_imports_no_more(app: TestApp) {
        let admin = app.admin().await;
        let rpc = Rpc::to(&app).by(&admin.token);
        let (sender, receiver) = mpsc::channel(1);
        let importing = tokio::spawn({
            let rpc = rpc.clone();
            async move { rpc.users().import_users(ReceiverStream::new(receiver)).await }
        });
        let rows = |from: usize| message((from..from + 500).map(|at| row(&format!("user.{at}@example.com"))).collect());
        sender.send(rows(0)).await.unwrap();
        eventually("the first batch is written", Duration::from_secs(20), async || {
            let page = rpc.users().list_users(v1::ListUsersRequest { with_total_size: true, ..Default::default() }).await;
            page.unwrap().into_inner().total_size == Some(501)
        }).await;
        rpc.sessions().sign_out(v1::SignOutRequest {}).await.unwrap();
        let _ = sender.send(rows(500)).await;
        drop(sender);
        refused(importing.await.unwrap(), Code::Unauthenticated, "invalid_token");
        let other = app.admin().await;
        assert_eq!(exported(&Rpc::to(&app).by(&other.token)).await.len(), 502);
    }

    async fn who_may_not_is_told_at_once(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app).by(&user.token);
        let (_sender, receiver) = mpsc::channel::<v1::ImportUsersRequest>(1);
        refused(rpc.users().import_users(ReceiverStream::new(receiver)).await, Code::PermissionDenied, "forbidden");
        let exporting = rpc.users().export_users(v1::ExportUsersRequest {}).await;
        refused(exporting.map(|_| ()), Code::PermissionDenied, "forbidden");
    }
}
