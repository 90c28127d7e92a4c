//! Hooks of the application: what they refuse does not happen, and what they see did.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use denizen::Builder;
use denizen::accounts::NewAccount;
use denizen::hooks::{Hooks, Refusal, SignInRequest, SignUpRequest};
use denizen::types::{SessionId, User, UserId};
use denizen_domain::error::Error;
use denizen_domain::users;
use denizen_proto::v1;
use reqwest::Method;
use serde_json::{Value, json};
use tonic::Code;

use super::{embed_with, sign_up};
use crate::grpc::client::{Rpc, refused};
use crate::harness::{PASSWORD, SignedIn, TestApp, World, eventually, on_both, problem};

/// The time limit of the tests: a hook that never returns exceeds it.
const LIMIT: Duration = Duration::from_millis(200);
const SOON: Duration = Duration::from_secs(10);
const MESSAGE: &str = "Ask your team for access.";

/// What the hooks were called for, in order.
#[derive(Clone, Default)]
struct Calls(Arc<Mutex<Vec<String>>>);

impl Calls {
    fn note(&self, hook: &str, email: &str) {
        self.0.lock().unwrap().push(format!("{hook} {email}"));
    }

    fn count(&self, hook: &str, email: &str) -> usize {
        let call = format!("{hook} {email}");
        self.0.lock().unwrap().iter().filter(|noted| **noted == call).count()
    }
}

/// Behaves as the local part of the address says, from the moment that it says so.
struct ByAddress {
    calls: Calls,
    /// The operation to refuse: `sign_up`, `sign_in` or `deletion`.
    operation: &'static str,
}

impl ByAddress {
    async fn decide(&self, operation: &'static str, email: &str) -> Result<(), Refusal> {
        self.calls.note(&format!("before_{operation}"), email);
        if operation != self.operation {
            return Ok(());
        }
        match email.split('@').next().unwrap() {
            "refused" => Err(Refusal::new(&format!(" {MESSAGE}\n"))),
            "slow" => std::future::pending().await,
            "panics" => panic!("the hook is defective"),
            _ => Ok(()),
        }
    }
}

impl Hooks for ByAddress {
    async fn before_sign_up(&self, request: &SignUpRequest) -> Result<(), Refusal> {
        assert_eq!(request.address.map(|address| address.to_string()).as_deref(), Some("127.0.0.1"));
        self.decide("sign_up", request.email.as_str()).await
    }

    async fn after_sign_up(&self, user: &User) {
        self.calls.note("after_sign_up", user.email.as_str());
        if user.email.as_str().starts_with("later") {
            std::future::pending::<()>().await;
        }
    }

    async fn before_sign_in(&self, request: &SignInRequest) -> Result<(), Refusal> {
        self.decide("sign_in", request.user.email.as_str()).await
    }

    async fn after_sign_in(&self, user: &User, _session: SessionId) {
        self.calls.note("after_sign_in", user.email.as_str());
        assert!(!user.email.as_str().starts_with("later"), "a defect after the commit");
    }

    async fn before_deletion(&self, user: &User) -> Result<(), Refusal> {
        self.decide("deletion", user.email.as_str()).await
    }

    async fn after_deletion(&self, user: &User) {
        self.calls.note("after_deletion", user.email.as_str());
    }
}

pub(crate) struct Hooked {
    pub(crate) app: TestApp,
    rpc: Rpc,
    denizen: denizen::Denizen,
    calls: Calls,
}

/// A server whose hooks decide about this operation.
pub(crate) async fn hooked(world: &World, operation: &'static str, settings: &[(&str, &str)]) -> Hooked {
    let calls = Calls::default();
    let hooks = ByAddress { calls: calls.clone(), operation };
    let build = async |builder: Builder| builder.hooks(hooks).hook_time_limit(LIMIT).build().await;
    let (app, denizen) = embed_with(world, "", settings, build, |own, denizen| own.merge(denizen.router())).await;
    Hooked { rpc: Rpc::to(&app), app, denizen, calls }
}

impl Hooked {
    pub(crate) async fn exists(&self, email: &str) -> bool {
        self.denizen.accounts().find_user_by_email(email).await.unwrap().is_some()
    }

    async fn create(&self, email: &str) -> UserId {
        self.denizen.accounts().create_user(NewAccount::new(email, PASSWORD, "Ada")).await.unwrap().id
    }

    async fn sign_up_over_rpc(&self, email: &str) -> Result<tonic::Response<v1::CreateUserResponse>, tonic::Status> {
        let request = v1::CreateUserRequest {
            email: email.into(),
            password: PASSWORD.into(),
            name: "Ada".into(),
            ..Default::default()
        };
        self.rpc.users().create_user(request).await
    }

    async fn sign_in_over_rpc(&self, email: &str) -> Result<tonic::Response<v1::SignInResponse>, tonic::Status> {
        let request = v1::SignInRequest { email: email.into(), password: PASSWORD.into(), ..Default::default() };
        self.rpc.sessions().sign_in(request).await
    }

    pub(crate) fn count(&self, hook: &str, email: &str) -> usize {
        self.calls.count(hook, email)
    }

    pub(crate) async fn sees_once(&self, hook: &str, email: &str) {
        eventually(&format!("{hook} {email}"), SOON, async || self.calls.count(hook, email) > 0).await;
        assert_eq!(self.calls.count(hook, email), 1, "{hook} {email}");
    }
}

on_both! {
    async fn a_refused_sign_up_creates_nothing(world: World) {
        let on = hooked(&world, "sign_up", &[]).await;
        let error = problem(sign_up(&on.app, "/api/v1/users", "refused@example.com").await, 403, "hook_refused").await;
        assert_eq!(error["message"], MESSAGE);
        let status = refused(on.sign_up_over_rpc("refused@example.com").await, Code::PermissionDenied, "hook_refused");
        assert_eq!(status.message(), MESSAGE);
        for email in ["slow@example.com", "panics@example.com"] {
            problem(sign_up(&on.app, "/api/v1/users", email).await, 503, "hook_failed").await;
            refused(on.sign_up_over_rpc(email).await, Code::Unavailable, "hook_failed");
            assert!(!on.exists(email).await, "{email}");
        }
        assert!(!on.exists("refused@example.com").await);
        // The application itself is not asked.
        on.create("refused@example.com").await;
        assert_eq!(on.calls.count("before_sign_up", "refused@example.com"), 2);
    }

    async fn an_allowed_operation_is_seen_once(world: World) {
        let on = hooked(&world, "none", &[]).await;
        let body = json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada"});
        for _ in 0..2 {
            let request = on.app.request(Method::POST, "/api/v1/users", None).header("idempotency-key", "one");
            assert_eq!(request.json(&body).send().await.unwrap().status(), 201);
        }
        on.sees_once("after_sign_up", "ada@example.com").await;
        let user = on.app.sign_in("ada@example.com").await;
        on.sees_once("after_sign_in", "ada@example.com").await;
        assert_eq!(on.app.delete(&user.path(), &user.token).await.status(), 204);
        on.sees_once("after_deletion", "ada@example.com").await;

        on.sign_up_over_rpc("grace@example.com").await.unwrap();
        on.sees_once("after_sign_up", "grace@example.com").await;
        let opened = on.sign_in_over_rpc("grace@example.com").await.unwrap().into_inner();
        on.sees_once("after_sign_in", "grace@example.com").await;
        let id = opened.user.unwrap().id;
        let request = v1::DeleteUserRequest { id, ..Default::default() };
        on.rpc.by(&opened.tokens.unwrap().access_token).users().delete_user(request).await.unwrap();
        on.sees_once("after_deletion", "grace@example.com").await;
        let before = ["before_sign_up", "before_sign_in", "before_deletion"];
        assert!(before.iter().all(|hook| on.calls.count(hook, "grace@example.com") == 1));
    }

    async fn a_refused_sign_in_opens_nothing(world: World) {
        let settings = [("sign_in.mailed_codes", "true"), ("sign_in.magic_links", "true")];
        let on = hooked(&world, "sign_in", &settings).await;
        for email in ["refused@example.com", "slow@example.com", "panics@example.com"] {
            on.create(email).await;
        }
        let wrong = on.app.try_sign_in("refused@example.com", "wrong horse battery").await;
        problem(wrong, 401, "invalid_credentials").await;
        assert_eq!(on.calls.count("before_sign_in", "refused@example.com"), 0, "only a proven user is asked about");

        let error = problem(on.app.try_sign_in("refused@example.com", PASSWORD).await, 403, "hook_refused").await;
        assert_eq!(error["message"], MESSAGE);
        refused(on.sign_in_over_rpc("refused@example.com").await, Code::PermissionDenied, "hook_refused");
        for email in ["slow@example.com", "panics@example.com"] {
            problem(on.app.try_sign_in(email, PASSWORD).await, 503, "hook_failed").await;
            refused(on.sign_in_over_rpc(email).await, Code::Unavailable, "hook_failed");
        }

        let mailed = json!({"email": "refused@example.com"});
        let challenge: Value = on.app.post("/api/v1/sessions/codes", &mailed).await.json().await.unwrap();
        let path = format!("/api/v1/sessions/challenges/{}", challenge["challenge_id"].as_str().unwrap());
        let code = on.app.codes_to("refused@example.com", 1).await.remove(0);
        problem(on.app.post(&path, &json!({"code": code})).await, 403, "hook_refused").await;
        on.app.post("/api/v1/sessions/magic-links", &mailed).await;
        let token = json!({"token": on.app.token_to("refused@example.com", "sign-in").await});
        problem(on.app.post("/api/v1/sessions/magic-links/confirm", &token).await, 403, "hook_refused").await;
        assert_eq!(on.calls.count("after_sign_in", "refused@example.com"), 0);
    }

    async fn a_refused_deletion_deletes_nothing(world: World) {
        let on = hooked(&world, "deletion", &[]).await;
        let mut users: Vec<SignedIn> = Vec::new();
        for email in ["refused@example.com", "slow@example.com", "panics@example.com"] {
            on.create(email).await;
            users.push(on.app.sign_in(email).await);
        }
        for (user, status, code, rpc) in [
            (&users[0], 403, "hook_refused", Code::PermissionDenied),
            (&users[1], 503, "hook_failed", Code::Unavailable),
            (&users[2], 503, "hook_failed", Code::Unavailable),
        ] {
            problem(on.app.delete(&user.path(), &user.token).await, status, code).await;
            let request = v1::DeleteUserRequest { id: user.id.clone(), ..Default::default() };
            refused(on.rpc.by(&user.token).users().delete_user(request).await, rpc, code);
            assert_eq!(on.app.me_status(&user.token).await, 200);
        }
        // A caller who may not delete the user is refused before the application is asked.
        let stranger = on.app.user().await;
        problem(on.app.delete(&users[0].path(), &stranger.token).await, 404, "user_not_found").await;
        assert_eq!(on.calls.count("before_deletion", "refused@example.com"), 2);
    }

    async fn a_scheduled_deletion_runs_the_hooks_when_it_is_carried_out(world: World) {
        let on = hooked(&world, "deletion", &[("users.deletion_grace_days", "30")]).await;
        let admin = on.app.admin().await;
        on.create("refused@example.com").await;
        let user = on.app.sign_in("refused@example.com").await;
        assert_eq!(on.app.delete(&user.path(), &user.token).await.status(), 204);
        assert_eq!(on.calls.count("before_deletion", "refused@example.com"), 0, "nothing is deleted yet");
        let due = |email: &str| {
            json!({"email": email, "name": "Ada", "status": "disabled", "delete_after": "2020-01-01T00:00:00Z"})
        };
        let lines = format!("{}\n{}\n", due("ada@example.com"), due("refused@example.com"));
        let path = "/api/v1/users/import?on_conflict=update";
        let request = on.app.request(Method::POST, path, Some(&admin.token));
        let imported = request.header("content-type", "application/x-ndjson").body(lines).send().await.unwrap();
        assert_eq!(imported.status(), 200);

        let error = users::purge(&on.app.services, 10).await.unwrap_err();
        assert!(matches!(error, Error::HookRefused(_)), "{error:?}");
        on.sees_once("after_deletion", "ada@example.com").await;
        assert_eq!(on.calls.count("before_deletion", "ada@example.com"), 1);
        assert!(!on.exists("ada@example.com").await && on.exists("refused@example.com").await);
        assert_eq!(users::purge(&on.app.services, 10).await.unwrap(), 0, "it is retried later");
        assert_eq!(on.calls.count("before_deletion", "refused@example.com"), 1);
    }

    async fn a_failure_after_the_commit_changes_no_response(world: World) {
        let on = hooked(&world, "none", &[]).await;
        assert_eq!(sign_up(&on.app, "/api/v1/users", "later@example.com").await.status(), 201);
        on.sees_once("after_sign_up", "later@example.com").await;
        assert_eq!(on.app.try_sign_in("later@example.com", PASSWORD).await.status(), 201);
        on.sees_once("after_sign_in", "later@example.com").await;
        // The shutdown waits for hooks, at most as long as their limit.
        on.denizen.stop().await;
    }

    async fn a_concealed_sign_up_is_refused_whether_or_not_the_address_is_taken(world: World) {
        let on = hooked(&world, "sign_up", &[("signup.conceal_existing", "true")]).await;
        problem(sign_up(&on.app, "/api/v1/users", "refused@example.com").await, 403, "hook_refused").await;
        on.create("refused@example.com").await;
        problem(sign_up(&on.app, "/api/v1/users", "refused@example.com").await, 403, "hook_refused").await;
        for _ in 0..2 {
            assert_eq!(sign_up(&on.app, "/api/v1/users", "ada@example.com").await.status(), 202);
        }
        on.sees_once("after_sign_up", "ada@example.com").await;
    }
}
