//! `UserService`, one by one: what the table of who may do what does not show.

use denizen_proto::v1;
use prost_types::value::Kind;
use prost_types::{FieldMask, Struct, Value};
use tonic::Code;
use tonic_types::StatusExt;

use super::client::{Rpc, refused};
use crate::harness::{PASSWORD, on_both};

fn text(value: &str) -> Value {
    Value { kind: Some(Kind::StringValue(value.to_owned())) }
}

fn number(value: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(value)) }
}

fn attributes(members: &[(&str, Value)]) -> Struct {
    Struct { fields: members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect() }
}

async fn update(rpc: &Rpc, user: v1::User, paths: &[&str]) -> Result<v1::User, tonic::Status> {
    let update_mask = Some(FieldMask { paths: paths.iter().map(ToString::to_string).collect() });
    let request = v1::UpdateUserRequest { user: Some(user), update_mask };
    rpc.users().update_user(request).await.map(|answer| answer.into_inner().user.unwrap())
}

on_both! {
    async fn a_user_is_the_same_over_both(app: TestApp) {
        let rpc = Rpc::to(&app);
        let new = v1::CreateUserRequest {
            email: "Ada@Example.com".into(),
            password: PASSWORD.into(),
            name: "Ada Lovelace".into(),
            role: None,
            attributes: Some(attributes(&[("plan", text("pro")), ("seats", number(3.0)), ("ratio", number(0.5))])),
            ..Default::default()
        };
        let created = rpc.users().create_user(new).await.unwrap().into_inner();
        assert!(created.password_strength > 0);
        let made = created.user.unwrap();
        let ada = app.sign_in("ada@example.com").await;
        assert_eq!(made.id, ada.id);

        let got = rpc.by(&ada.token).users().get_user(v1::GetUserRequest { id: ada.id.clone() }).await.unwrap();
        let got = got.into_inner().user.unwrap();
        let response = app.get(&ada.path(), &ada.token).await;
        assert_eq!(response.headers()["etag"], got.etag);
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(body["email"], got.email);
        assert_eq!(body["name"], got.name);
        assert_eq!(body["role"], got.role);
        assert_eq!(got.status(), v1::UserStatus::Active);
        assert_eq!(body["attributes"], serde_json::json!({"plan": "pro", "seats": 3, "ratio": 0.5}));
        let at = got.created_at.unwrap();
        assert!(body["created_at"].as_str().unwrap().ends_with(&format!("{:06}Z", at.nanos / 1_000)));

        let me = rpc.by(&ada.token).users().get_me(v1::GetMeRequest {}).await.unwrap().into_inner();
        assert_eq!(me.user.unwrap(), got);
        assert_eq!(me.credential, Some(v1::get_me_response::Credential::SessionId(ada.session_id.clone())));
    }

    async fn a_mask_changes_what_it_names(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app).by(&user.token);
        let of = |change: v1::User| v1::User { id: user.id.clone(), ..change };
        let full = v1::User {
            name: "New Name".into(),
            email: "unasked@example.com".into(),
            attributes: Some(attributes(&[("plan", text("pro")), ("trial", text("yes"))])),
            ..v1::User::default()
        };
        let got = update(&rpc, of(full.clone()), &["name", "attributes"]).await.unwrap();
        assert_eq!((got.name.as_str(), got.email.as_str()), ("New Name", user.email.as_str()));
        assert_eq!(got.attributes, full.attributes);

        let one = v1::User { attributes: Some(attributes(&[("plan", text("free"))])), ..v1::User::default() };
        let got = update(&rpc, of(one), &["attributes.plan", "attributes.trial"]).await.unwrap();
        assert_eq!(got.attributes, Some(attributes(&[("plan", text("free"))])), "one is set, the other is removed");

        let got = update(&rpc, of(v1::User { name: "Set".into(), ..v1::User::default() }), &[]).await.unwrap();
        assert_eq!((got.name.as_str(), got.attributes), ("Set", Some(attributes(&[("plan", text("free"))]))));

        let whole = v1::User { name: "Whole".into(), email: user.email.clone(), ..v1::User::default() };
        let got = update(&rpc, of(whole), &["*"]).await.unwrap();
        assert_eq!((got.name.as_str(), got.attributes), ("Whole", Some(attributes(&[]))), "what is not set is gone");

        for paths in [&["id"][..], &["created_at"], &["name", "*"], &["attributes."]] {
            let status = refused(update(&rpc, of(full.clone()), paths).await, Code::InvalidArgument, "invalid_input");
            let field = status.get_error_details().bad_request().unwrap().field_violations[0].clone();
            assert_eq!((field.field.as_str(), field.reason.as_str()), ("update_mask", "unknown_field"));
        }
        let status = refused(update(&rpc, of(v1::User::default()), &["*"]).await, Code::InvalidArgument, "invalid_input");
        let fields: Vec<_> = status.get_error_details().bad_request().unwrap().field_violations.iter().map(|at| at.field.clone()).collect();
        assert_eq!(fields, ["email", "name"], "all at fault are told together");
    }

    async fn a_lost_update_is_refused(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app).by(&user.token);
        let read = rpc.users().get_user(v1::GetUserRequest { id: user.id.clone() }).await.unwrap();
        let etag = read.into_inner().user.unwrap().etag;
        let named = |name: &str, etag: &str| {
            v1::User { id: user.id.clone(), name: name.into(), etag: etag.into(), ..v1::User::default() }
        };
        let first = update(&rpc, named("First", &etag), &["name"]).await.unwrap();
        assert_ne!(first.etag, etag);
        refused(update(&rpc, named("Second", &etag), &["name"]).await, Code::Aborted, "stale");
        refused(update(&rpc, named("Second", "forged"), &["name"]).await, Code::InvalidArgument, "invalid_input");
        let gone = v1::DeleteUserRequest { id: user.id.clone(), etag, now: false };
        refused(rpc.users().delete_user(gone).await, Code::Aborted, "stale");
        rpc.users().delete_user(v1::DeleteUserRequest { id: user.id.clone(), etag: first.etag, now: false }).await.unwrap();
    }

    async fn lists_are_paged_by_the_cursors_of_rest(app: TestApp) {
        let admin = app.admin().await;
        for _ in 0..4 {
            app.user().await;
        }
        let rpc = Rpc::to(&app).by(&admin.token);
        let list = async |request| rpc.users().list_users(request).await.map(tonic::Response::into_inner);
        let first = list(v1::ListUsersRequest { page_size: 2, with_total_size: true, ..Default::default() }).await.unwrap();
        assert_eq!((first.users.len(), first.total_size), (2, Some(5)));
        let rest = app.json(&format!("/api/v1/users?after={}", first.next_page_token), &admin.token).await;
        let page = v1::ListUsersRequest { page_token: first.next_page_token.clone(), page_size: 1_000, ..Default::default() };
        let second = list(page).await.unwrap();
        let ids: Vec<_> = rest.as_array().unwrap().iter().map(|user| user["id"].as_str().unwrap()).collect();
        assert_eq!(second.users.iter().map(|user| user.id.as_str()).collect::<Vec<_>>(), ids);
        assert_eq!((second.users.len(), second.next_page_token.as_str(), second.total_size), (3, "", None));
        let skipped = list(v1::ListUsersRequest { skip: 4, ..Default::default() }).await.unwrap();
        assert_eq!(skipped.users[0].id, admin.id);
        let found = v1::ListUsersRequest { prefix: admin.email.to_uppercase(), role: "admin".into(), status: 1, ..Default::default() };
        assert_eq!(list(found).await.unwrap().users.len(), 1);

        for (wrong, field) in [
            (v1::ListUsersRequest { page_size: -1, ..Default::default() }, "page_size"),
            (v1::ListUsersRequest { skip: -1, ..Default::default() }, "skip"),
            (v1::ListUsersRequest { skip: 1_000_001, ..Default::default() }, "skip"),
            (v1::ListUsersRequest { page_token: "forged".into(), ..Default::default() }, "page_token"),
            (v1::ListUsersRequest { page_token: first.next_page_token.clone(), skip: 1, ..Default::default() }, "skip"),
            (v1::ListUsersRequest { status: 99, ..Default::default() }, "status"),
            (v1::ListUsersRequest { prefix: "x".repeat(201), ..Default::default() }, "prefix"),
        ] {
            let status = refused(list(wrong).await, Code::InvalidArgument, "invalid_input");
            assert_eq!(status.get_error_details().bad_request().unwrap().field_violations[0].field, field);
        }
        let other = v1::ListSessionsRequest { page_token: first.next_page_token, ..Default::default() };
        refused(rpc.sessions().list_sessions(other).await, Code::InvalidArgument, "invalid_input");
    }

    async fn several_are_got_at_once_or_none(app: TestApp) {
        let admin = app.admin().await;
        let user = app.user().await;
        let rpc = Rpc::to(&app);
        let ids = vec![user.id.clone(), admin.id.clone()];
        let batch = async |token: &str, ids| rpc.by(token).users().batch_get_users(v1::BatchGetUsersRequest { ids }).await;
        let got = batch(&admin.token, ids.clone()).await.unwrap().into_inner();
        assert_eq!(got.users.iter().map(|user| user.id.clone()).collect::<Vec<_>>(), ids);
        refused(batch(&user.token, ids).await, Code::NotFound, "user_not_found");
        refused(batch(&admin.token, vec![]).await, Code::InvalidArgument, "invalid_input");
        refused(batch(&admin.token, vec![user.id; 101]).await, Code::InvalidArgument, "invalid_input");
    }

    async fn conflicts_and_bad_input_carry_their_details(app: TestApp) {
        let user = app.user().await;
        let rpc = Rpc::to(&app);
        let new = v1::CreateUserRequest { email: user.email.clone(), password: PASSWORD.into(), name: "A".into(), ..Default::default() };
        let status = refused(rpc.users().create_user(new.clone()).await, Code::AlreadyExists, "email_taken");
        let fields = status.get_error_details().bad_request().unwrap().field_violations.clone();
        assert_eq!((fields[0].field.as_str(), fields[0].reason.as_str()), ("email", "taken"));
        let bad = v1::CreateUserRequest { email: "nobody".into(), password: "short".into(), name: String::new(), ..new };
        let status = refused(rpc.users().create_user(bad).await, Code::InvalidArgument, "invalid_input");
        let named: Vec<_> = status.get_error_details().bad_request().unwrap().field_violations.iter().map(|at| at.field.clone()).collect();
        assert_eq!(named, ["email", "password", "name"]);
        let missing = rpc.by(&user.token).users().get_user(v1::GetUserRequest { id: "x".into() }).await;
        refused(missing, Code::InvalidArgument, "invalid_input");
        refused(rpc.by("forged").users().get_me(v1::GetMeRequest {}).await, Code::Unauthenticated, "invalid_token");
        refused(rpc.users().get_me(v1::GetMeRequest {}).await, Code::Unauthenticated, "unauthenticated");
    }
}
