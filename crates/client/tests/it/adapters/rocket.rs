//! The request guards and the fairing of Rocket.

#![expect(clippy::needless_pass_by_value, reason = "guards are passed by value")]

use denizen_client::rocket::{AuthFairing, catchers, refusal};
use denizen_client::{AuthError, Authorized, OptionalUser, User};
use rocket::config::{Config, LogLevel};
use rocket::http::{Header, Status};
use rocket::local::asynchronous::Client;
use rocket::response::status::Custom;
use rocket::{Build, Request, Rocket, catch, get, routes};
use serde_json::json;

use super::table::{MayWrite, Recent, Row, SecondFactor};
use super::{Answer, Guard, check_all, check_body};
use crate::support::{Issuer, NOW_S, USER};

#[get("/optional")]
fn optional(user: OptionalUser) -> String {
    user.0.map_or("nobody".to_owned(), |user| user.id().to_string())
}

#[get("/user")]
fn required(user: User) -> String {
    user.id().to_string()
}

#[get("/permission")]
fn permission(caller: Authorized<MayWrite>) -> String {
    caller.subject().to_string()
}

#[get("/second-factor")]
fn second_factor(caller: Authorized<SecondFactor>) -> String {
    caller.subject().to_string()
}

#[get("/recent")]
fn recent(caller: Authorized<Recent>) -> String {
    caller.subject().to_string()
}

/// A route that answers refusals itself.
#[get("/result")]
fn by_result(user: Result<User, AuthError>) -> Result<String, Custom<&'static str>> {
    match user {
        Ok(user) => Ok(user.id().to_string()),
        Err(error) => Err(Custom(Status::new(error.status()), "the application's own words")),
    }
}

/// A route that accepts that there is no user.
#[get("/accepting")]
fn accepting(user: Option<User>) -> &'static str {
    if user.is_some() { "somebody" } else { "nobody" }
}

/// A route that accepts the refusal of its first guard, but not that of the second.
#[get("/two-guards")]
fn two_guards(strong: Result<Authorized<SecondFactor>, AuthError>, recent: Authorized<Recent>) -> String {
    format!("{} {}", strong.is_ok(), recent.subject())
}

#[catch(401)]
fn own_words(request: &Request<'_>) -> String {
    refusal(request).map_or("no refusal".to_owned(), |error| format!("the application's own words: {}", error.code()))
}

fn bare() -> Rocket<Build> {
    let config = Config { log_level: LogLevel::Off, ..Config::debug_default() };
    rocket::custom(config)
        .mount("/", routes![optional, required, permission, second_factor, recent, by_result, accepting, two_guards])
}

async fn client(rocket: Rocket<Build>) -> Client {
    Client::untracked(rocket).await.unwrap()
}

async fn send(client: &Client, path: &'static str, authorization: &[String]) -> Answer {
    let mut request = client.get(path);
    for value in authorization {
        request = request.header(Header::new("Authorization", value.clone()));
    }
    let response = request.dispatch().await;
    let challenge = response.headers().get_one("www-authenticate").map(str::to_owned);
    let status = response.status().code;
    Answer { status, challenge, body: response.into_string().await.unwrap_or_default() }
}

fn bearer(token: &str) -> Vec<String> {
    vec![format!("Bearer {token}")]
}

#[rocket::async_test]
async fn guards_behave_as_the_table_says() {
    let guard = Guard::start().await;
    let client = client(bare().attach(AuthFairing::new(guard.verifier.clone()))).await;
    check_all(async |row: &Row| send(&client, row.route.path(), &row.authorization).await).await;
}

#[rocket::async_test]
async fn refusals_have_one_shape_and_an_outage_is_503() {
    let guard = Guard::start().await;
    let fairing = AuthFairing::new(guard.verifier.clone());
    let client = client(bare().attach(fairing).register("/", catchers())).await;
    check_body(&send(&client, "/user", &bearer("x")).await, "invalid_token");
    guard.lose_issuer();
    let answer = send(&client, "/user", &bearer(&Issuer::shared().token())).await;
    assert_eq!((answer.status, &answer.challenge), (503, &None));
    check_body(&answer, "temporarily_unavailable");
}

#[rocket::async_test]
async fn refusals_become_errors_of_the_application() {
    let guard = Guard::start().await;
    let rocket = bare().attach(AuthFairing::new(guard.verifier.clone()));
    let client = client(rocket.register("/", rocket::catchers![own_words])).await;
    let answer = send(&client, "/user", &bearer("x")).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "the application's own words: invalid_token"));
    let answer = send(&client, "/result", &bearer("x")).await;
    assert_eq!((answer.status, answer.body.as_str()), (401, "the application's own words"));
    assert!(answer.challenge.is_some());
    assert_eq!(send(&client, "/result", &bearer(&Issuer::shared().token())).await.body, USER);
}

#[rocket::async_test]
async fn a_route_that_accepts_a_failure_has_no_challenge() {
    let guard = Guard::start().await;
    let client = client(bare().attach(AuthFairing::new(guard.verifier.clone()))).await;
    let answer = send(&client, "/accepting", &bearer("x")).await;
    assert_eq!((answer.status, answer.challenge, answer.body.as_str()), (200, None, "nobody"));
}

#[rocket::async_test]
async fn the_last_refusal_of_a_request_is_the_response() {
    let guard = Guard::start().await;
    let fairing = AuthFairing::new(guard.verifier.clone());
    let client = client(bare().attach(fairing).register("/", catchers())).await;
    let old = Issuer::shared().token_with(&json!({"auth_time": NOW_S - 301}));
    let answer = send(&client, "/two-guards", &bearer(&old)).await;
    let expected = "Bearer realm=\"denizen\", error=\"insufficient_user_authentication\", max_age=\"300\"";
    assert_eq!((answer.status, answer.challenge.as_deref()), (401, Some(expected)));
    check_body(&answer, "insufficient_user_authentication");
}

#[rocket::async_test]
async fn a_forgotten_fairing_admits_nobody() {
    let client = client(bare()).await;
    for path in ["/user", "/optional"] {
        assert_eq!(send(&client, path, &bearer(&Issuer::shared().token())).await.status, 500);
    }
}
