//! Callers act only upon accounts, sessions, API keys, factors and roles that hold no more than they do, over REST and gRPC.

use denizen_proto::v1;
use prost_types::FieldMask;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::{Code, Status};

use crate::grpc::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, on_both, problem};
use crate::holders::Key;

/// Everything that an administrator may do to others, and less than an admin.
const LESSER: &str = "users:read users:write sessions:read sessions:write roles:read roles:write service_accounts:read \
                      service_accounts:write api_keys:read api_keys:write tokens:introspect";

/// A user, a program and a role that may do the same, and what belongs to them.
struct Target {
    user: SignedIn,
    user_key: Key,
    account: String,
    account_key: Key,
    /// A role that no account has.
    role: String,
}

impl Target {
    async fn who_may(app: &TestApp, permissions: &str) -> Self {
        let held = app.fresh_role(permissions).await;
        let user = app.holder(&held).await;
        let account = app.service_account(&held).await;
        Self {
            user_key: app.api_key(&user, &[]).await,
            account_key: app.service_key(&account, "").await,
            role: app.fresh_role(permissions).await,
            user,
            account,
        }
    }

    /// Every act upon it, the gentle ones first.
    fn acts(&self) -> Vec<(Method, String, Option<Value>)> {
        let user = self.user.path();
        let account = format!("/api/v1/service-accounts/{}", self.account);
        let role = format!("/api/v1/roles/{}", self.role);
        let key = json!({"name": "K", "scopes": [], "service_account_id": self.account});
        vec![
            (Method::PATCH, user.clone(), Some(json!({"name": "Renamed"}))),
            (Method::DELETE, format!("{user}/factors"), None),
            (Method::DELETE, format!("/api/v1/sessions/{}", self.user.session_id), None),
            (Method::DELETE, format!("/api/v1/sessions?user_id={}", self.user.id), None),
            (Method::DELETE, self.user_key.path(), None),
            (Method::POST, "/api/v1/api-keys".into(), Some(key)),
            (Method::POST, format!("{}/rotate", self.account_key.path()), Some(json!({}))),
            (Method::DELETE, self.account_key.path(), None),
            (Method::PATCH, account.clone(), Some(json!({"status": "disabled"}))),
            (Method::DELETE, account, None),
            (Method::DELETE, role, None),
            (Method::PATCH, user.clone(), Some(json!({"status": "disabled"}))),
            (Method::DELETE, user, None),
        ]
    }
}

async fn act(app: &TestApp, token: &str, (method, path, body): (Method, String, Option<Value>)) -> reqwest::Response {
    let request = app.request(method.clone(), &path, Some(token));
    match body {
        Some(body) if method == Method::PATCH => {
            request.header("content-type", "application/merge-patch+json").body(body.to_string()).send().await.unwrap()
        }
        Some(body) => request.json(&body).send().await.unwrap(),
        None => request.send().await.unwrap(),
    }
}

fn mask(path: &str) -> FieldMask {
    FieldMask { paths: vec![path.to_owned()] }
}

/// What came of every act over gRPC.
async fn answers(by: &Rpc, target: &Target) -> Vec<(&'static str, Result<(), Status>)> {
    let (id, account) = (target.user.id.clone(), target.account.clone());
    let user = v1::User { id: id.clone(), name: "Renamed".into(), ..Default::default() };
    let program = v1::ServiceAccount { id: account.clone(), name: "Renamed".into(), ..Default::default() };
    let key = |id: &Key| id.id.clone();
    let session_id = target.user.session_id.clone();
    let create =
        v1::CreateApiKeyRequest { name: "K".into(), service_account_id: Some(account.clone()), ..Default::default() };
    let rotate = v1::RotateApiKeyRequest { id: key(&target.account_key), ..Default::default() };
    let of_user = v1::DeleteApiKeyRequest { id: key(&target.user_key), ..Default::default() };
    let of_account = v1::DeleteApiKeyRequest { id: key(&target.account_key), ..Default::default() };
    let all = v1::RevokeAllSessionsRequest { user_id: id.clone(), ..Default::default() };
    let update = v1::UpdateUserRequest { user: Some(user), update_mask: Some(mask("name")) };
    let rename = v1::UpdateServiceAccountRequest { service_account: Some(program), update_mask: Some(mask("name")) };
    let factors = v1::RemoveFactorsRequest { user_id: id.clone() };
    let gone = v1::DeleteServiceAccountRequest { id: account, ..Default::default() };
    let role = v1::DeleteRoleRequest { role: target.role.clone(), ..Default::default() };
    vec![
        ("UpdateUser", by.users().update_user(update).await.map(drop)),
        ("RemoveFactors", by.credentials().remove_factors(factors).await.map(drop)),
        ("RevokeSession", by.sessions().revoke_session(v1::RevokeSessionRequest { id: session_id }).await.map(drop)),
        ("RevokeAllSessions", by.sessions().revoke_all_sessions(all).await.map(drop)),
        ("DeleteApiKey", by.api_keys().delete_api_key(of_user).await.map(drop)),
        ("CreateApiKey", by.api_keys().create_api_key(create).await.map(drop)),
        ("RotateApiKey", by.api_keys().rotate_api_key(rotate).await.map(drop)),
        ("DeleteApiKey of a program", by.api_keys().delete_api_key(of_account).await.map(drop)),
        ("UpdateServiceAccount", by.service_accounts().update_service_account(rename).await.map(drop)),
        ("DeleteServiceAccount", by.service_accounts().delete_service_account(gone).await.map(drop)),
        ("DeleteRole", by.roles().delete_role(role).await.map(drop)),
        ("DeleteUser", by.users().delete_user(v1::DeleteUserRequest { id, ..Default::default() }).await.map(drop)),
    ]
}

on_both! {
    async fn a_lesser_administrator_does_nothing_to_a_stronger_account(app: TestApp) {
        let lesser = app.user_who_may(LESSER).await;
        let key = app.api_key(&lesser, &["sessions:write", "api_keys:write", "api_keys:read"]).await;
        // An admin, and a user who may do one thing that the other may not.
        for permissions in [format!("{LESSER} events:read"), "signing_keys:read".to_owned()] {
            let target = Target::who_may(&app, &permissions).await;
            for one in target.acts() {
                let what = format!("{} {}", one.0, one.1);
                let response = act(&app, &lesser.token, one).await;
                assert_eq!(response.status(), 403, "{what}");
                problem(response, 403, "forbidden").await;
            }
            for (what, answer) in answers(&Rpc::to(&app).by(&lesser.token), &target).await {
                assert!(answer.is_err(), "{what}");
                refused(answer, Code::PermissionDenied, "forbidden");
            }
            for path in [format!("/api/v1/sessions/{}", target.user.session_id), target.user_key.path()] {
                problem(app.delete(&path, &key.secret).await, 403, "forbidden").await;
            }
            assert_eq!(app.me_status(&target.user.token).await, 200, "nothing happened to them");
            assert_eq!(app.me_status(&target.user_key.secret).await, 200);
            assert_eq!(app.get(&format!("/api/v1/roles/{}", target.role), &lesser.token).await.status(), 200);
            app.sign_in(&target.user.email).await;
        }
    }

    async fn an_administrator_acts_upon_accounts_that_hold_no_more(app: TestApp) {
        let lesser = app.user_who_may(LESSER).await;
        let target = Target::who_may(&app, LESSER).await;
        for one in target.acts() {
            let what = format!("{} {}", one.0, one.1);
            let response = act(&app, &lesser.token, one).await;
            // There is no factor to remove.
            let expected = if what.ends_with("/factors") { 404..405 } else { 200..205 };
            assert!(expected.contains(&response.status().as_u16()), "{what}: {}", response.status());
        }
        let target = Target::who_may(&app, LESSER).await;
        for (what, answer) in answers(&Rpc::to(&app).by(&lesser.token), &target).await {
            let code = answer.as_ref().err().map(Status::code);
            assert_eq!(code, (what == "RemoveFactors").then_some(Code::NotFound), "{what}: {answer:?}");
        }
    }

    async fn everybody_acts_upon_what_is_their_own(app: TestApp) {
        let own = app.user_who_may("users:read").await;
        let key = app.api_key(&own, &["users:read"]).await;
        assert_eq!(app.delete(&key.path(), &own.token).await.status(), 204);
        let other = app.sign_in(&own.email).await;
        assert_eq!(app.delete(&format!("/api/v1/sessions/{}", other.session_id), &own.token).await.status(), 204);
        let ended: Value = app.delete("/api/v1/sessions?except=current", &own.token).await.json().await.unwrap();
        assert_eq!(ended, json!({"ended": 0}));
        let body = json!({"current_password": PASSWORD, "new_password": "another good one"});
        assert_eq!(app.put("/api/v1/me/password", &own.token, &body).await.status(), 204);
        assert_eq!(app.delete("/api/v1/sessions", &own.token).await.status(), 200);
        assert_eq!(app.me_status(&own.token).await, 401);
    }
}
