//! The typed client: what it sends, and when it sends it again.

use std::time::Duration;

use denizen_client::api::{
    Api, ApiBuilder, ApiError, CreateRole, CreateUser, PatchUser, PermissionName, SessionTokens, UsersListQuery,
};
use denizen_client::{BuildError, UrlError};
use futures_util::TryStreamExt;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Net, Reply, TestClock};

const SERVER: &str = "https://accounts.example.com";
const USER: &str = "https://accounts.example.com/api/v1/users/019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e";
const USERS: &str = "https://accounts.example.com/api/v1/users";
const REFRESH: &str = "https://accounts.example.com/api/v1/sessions/refresh";

fn id() -> Uuid {
    "019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e".parse().unwrap()
}

fn builder(net: &Net) -> ApiBuilder {
    Api::builder(SERVER).transport(net.clone())
}

fn api(net: &Net) -> Api {
    builder(net).api_key("dnk_key").build().unwrap()
}

fn user(name: &str) -> Value {
    json!({
        "id": id(), "email": "ada@example.com", "name": name, "email_verified": true, "role": "user",
        "status": "active", "locale": null, "attributes": {"theme": "dark"}, "last_sign_in_at": null,
        "created_at": "2026-11-22T17:30:18.000001Z", "updated_at": "2026-11-22T17:30:18.000001Z", "of_a_later_release": 1
    })
}

fn error(status: u16, code: &str) -> Reply {
    Reply::json(&json!({"error": {
        "status": status, "code": code, "message": "No.", "request_id": "r1",
        "fields": [{"field": "email", "code": "taken", "message": "must be free"}]
    }}))
    .with_status(status)
}

fn tokens(access: &str, refresh: &str) -> SessionTokens {
    SessionTokens { access_token: access.into(), refresh_token: refresh.into(), expires_in_s: 900 }
}

fn refreshed(access: &str, refresh: &str) -> Reply {
    Reply::json(&json!({"access_token": access, "refresh_token": refresh, "expires_in": 900, "token_type": "Bearer"}))
}

#[tokio::test]
async fn a_call_sends_what_its_types_say() {
    let net = Net::default();
    net.reply(USER, Reply::json(&user("Ada")).header("etag", "\"v7\""));
    let (user, etag) = api(&net).users().get(id()).with_etag().await.unwrap();
    assert_eq!((user.name.as_str(), user.locale, etag.as_deref()), ("Ada", None, Some("\"v7\"")));
    assert_eq!(user.created_at.unix_timestamp(), 1_795_368_618);

    // A merge patch tells `null` from what is omitted.
    let patch = PatchUser::new().name("Ada King").remove_locale();
    api(&net).users().update(id(), &patch).if_match(etag.unwrap()).await.unwrap();
    let sent = net.sent_to(USER).pop().unwrap();
    assert_eq!((sent.method, sent.bearer.as_deref()), ("PATCH", Some("dnk_key")));
    assert_eq!(sent.json, Some(json!({"name": "Ada King", "locale": null})));
    assert_eq!(sent.header("if-match"), Some("\"v7\""));
}

#[tokio::test]
async fn a_query_is_encoded() {
    let net = Net::default();
    let url = format!("{USERS}?q=a%2Bb%26c%20%2F%E2%82%AC&created_after=2026-11-22T17%3A30%3A18Z");
    net.reply(&url, Reply::json(&json!([])));
    let after = time::OffsetDateTime::from_unix_timestamp(1_795_368_618).unwrap();
    let page = api(&net).users().list(&UsersListQuery::new().q("a+b&c /€").created_after(after)).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
    let path = "https://accounts.example.com/api/v1/roles/..%2Fusers%3Fx";
    net.reply(path, error(404, "role_not_found"));
    assert_eq!(api(&net).roles().get("../users?x").await.unwrap_err().code(), Some("role_not_found"));
}

#[tokio::test]
async fn a_stream_follows_all_pages() {
    let net = Net::default();
    let link = "</api/v1/users?limit=2&after=c1>; rel=\"next\"";
    net.reply(
        &format!("{USERS}?role=user&limit=200"),
        Reply::json(&json!([user("1"), user("2")])).header("link", link),
    );
    net.reply(&format!("{USERS}?role=user&limit=200&after=c1"), Reply::json(&json!([user("3")])));
    let api = api(&net);
    let stream = api.users().list(&UsersListQuery::new().role("user")).stream();
    let names: Vec<_> = stream.map_ok(|user| user.name).try_collect().await.unwrap();
    assert_eq!(names, ["1", "2", "3"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_safe_is_sent_again() {
    let net = Net::default();
    let overloaded = || error(503, "overloaded").header("retry-after", "1");
    net.replies(USER, vec![Reply::Unreachable, overloaded(), Reply::json(&user("Ada"))]);
    assert_eq!(api(&net).users().get(id()).await.unwrap().name, "Ada");
    assert_eq!(net.count(USER), 3);

    // The same key each time, so that one user is created.
    let new = CreateUser::new("ada@example.com", "Ada", "correct horse battery");
    net.replies(USERS, vec![Reply::Unreachable, Reply::json(&user("Ada")).with_status(201)]);
    assert!(api(&net).users().create(&new).await.unwrap().is_some());
    let keys: Vec<_> =
        net.sent_to(USERS).iter().map(|sent| sent.header("idempotency-key").unwrap().to_owned()).collect();
    assert!(keys.len() == 2 && keys[0] == keys[1] && keys[0].len() == 36, "{keys:?}");
    net.reply(USERS, Reply::json(&json!(null)).with_status(202));
    assert!(api(&net).users().create(&new).idempotency_key("mine").await.unwrap().is_none());
    assert_eq!(net.sent_to(USERS)[2].header("idempotency-key"), Some("mine"));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_safe_or_not_useful_is_not_sent_again() {
    let net = Net::default();
    // Lost: it may have been changed.
    net.replies(USER, vec![Reply::Unreachable, Reply::json(&user("Ada"))]);
    let patch = PatchUser::new().name("Ada");
    assert!(matches!(api(&net).users().update(id(), &patch).await, Err(ApiError::Transport(_))));
    // Refused before it was processed: it is sent again.
    net.replies(USER, vec![error(429, "rate_limited"), Reply::json(&user("Ada"))]);
    assert!(api(&net).users().update(id(), &patch).await.is_ok());
    assert_eq!(net.count(USER), 3);

    for status in [400, 403, 404, 409, 500] {
        net.reply(USER, error(status, "refused"));
        let before = net.count(USER);
        let refused = api(&net).users().get(id()).await.unwrap_err();
        let refusal = refused.refusal().unwrap();
        assert_eq!((refusal.status, refusal.code.as_str(), refusal.request_id.as_str()), (status, "refused", "r1"));
        assert_eq!(refusal.fields[0].field, "email");
        assert_eq!(net.count(USER), before + 1, "{status}");
    }
    // A longer pause is left to the caller.
    net.reply(USER, error(429, "rate_limited").header("retry-after", "60"));
    let refused = api(&net).users().get(id()).await.unwrap_err();
    assert_eq!(refused.refusal().unwrap().retry_after, Some(Duration::from_mins(1)));
    let before = net.count(USER);
    net.reply(USER, Reply::Unreachable);
    assert!(builder(&net).attempts(1).build().unwrap().users().get(id()).await.is_err());
    assert_eq!(net.count(USER), before + 1);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_at_its_deadline() {
    let net = Net::default();
    for reply in [Reply::Hangs, Reply::Unreachable] {
        net.reply(USER, reply);
        let api = builder(&net).attempts(u32::MAX).deadline(Duration::from_secs(2)).build().unwrap();
        let ended = api.users().get(id()).await.unwrap_err();
        assert!(matches!(ended, ApiError::DeadlineExceeded(deadline) if deadline == Duration::from_secs(2)), "{ended}");
        let ended = api.users().get(id()).deadline(Duration::from_secs(1)).await.unwrap_err();
        assert!(matches!(ended, ApiError::DeadlineExceeded(deadline) if deadline == Duration::from_secs(1)), "{ended}");
    }
}

#[tokio::test]
async fn other_responses_are_errors() {
    let net = Net::default();
    net.reply(USER, Reply::json(&json!("Bad gateway of a proxy")).with_status(404));
    assert!(matches!(api(&net).users().get(id()).await, Err(ApiError::UnexpectedResponse(404))));
    net.reply(USER, Reply::json(&json!({"id": 1})));
    assert!(matches!(api(&net).users().get(id()).await, Err(ApiError::Json(_))));
    net.reply(USER, Reply::Endless);
    assert!(matches!(api(&net).users().get(id()).await, Err(ApiError::TooLarge(_))));
}

#[tokio::test]
async fn unknown_values_of_later_releases_are_kept() {
    let net = Net::default();
    let mut later = user("Ada");
    later["status"] = json!("archived");
    net.reply(USER, Reply::json(&later));
    assert_eq!(api(&net).users().get(id()).await.unwrap().status.as_str(), "archived");
    let permission = PermissionName::Other("reports:read".to_owned());
    let role = serde_json::to_value(CreateRole::new("analyst", vec![permission, PermissionName::UsersRead])).unwrap();
    assert_eq!(role["permissions"], json!(["reports:read", "users:read"]));
}

#[tokio::test]
async fn tokens_are_refreshed_once_before_they_expire() {
    let (net, clock) = (Net::default(), TestClock::default());
    net.reply(USER, Reply::json(&user("Ada")));
    net.replies(REFRESH, vec![refreshed("at2", "dnr_2"), refreshed("at3", "dnr_3")]);
    let api = builder(&net).session(tokens("at1", "dnr_1")).clock(clock.clone()).build().unwrap();
    api.users().get(id()).await.unwrap();
    assert_eq!(net.count(REFRESH), 0);

    clock.advance(900 - 29);
    let (users, get) = (api.users(), || async { api.users().get(id()).await });
    let (a, b, c) = tokio::join!(get(), get(), async { users.get(id()).await });
    assert!(a.is_ok() && b.is_ok() && c.is_ok());
    assert_eq!(net.count(REFRESH), 1);
    assert_eq!(net.sent_to(REFRESH)[0].json, Some(json!({"refresh_token": "dnr_1"})));
    let bearers: Vec<_> = net.sent_to(USER).into_iter().filter_map(|sent| sent.bearer).collect();
    assert_eq!(bearers, ["at1", "at2", "at2", "at2"]);
    assert_eq!(api.session_tokens(), Some(tokens("at2", "dnr_2")));

    // The server refuses a token early, for example after its key was withdrawn.
    net.replies(USER, vec![error(401, "unauthenticated"), Reply::json(&user("Ada"))]);
    api.users().get(id()).await.unwrap();
    assert_eq!((net.count(REFRESH), api.session_tokens()), (2, Some(tokens("at3", "dnr_3"))));
}

#[tokio::test]
async fn a_session_that_ended_is_told_so() {
    let net = Net::default();
    net.reply(USER, error(401, "unauthenticated"));
    net.reply(REFRESH, error(401, "session_ended"));
    let api = builder(&net).session(tokens("at1", "dnr_1")).build().unwrap();
    assert_eq!(api.users().get(id()).await.unwrap_err().code(), Some("unauthenticated"));
    // A refresh token is in no log.
    assert!(!format!("{:?} {:?}", api, api.session_tokens()).contains("dnr_1"));
}

#[test]
fn settings_are_checked() {
    let refused = |builder: ApiBuilder| builder.transport(Net::default()).build().unwrap_err();
    assert!(matches!(refused(Api::builder("http://example.com")), BuildError::Url(UrlError::Insecure(_))));
    assert!(matches!(refused(Api::builder(SERVER).attempts(0)), BuildError::OutOfRange(_)));
    assert!(matches!(refused(Api::builder(SERVER).deadline(Duration::ZERO)), BuildError::OutOfRange(_)));
}
