//! The extractors of Axum.

use axum::body::{Body, to_bytes};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Router, routing::get};
use denizen_client::axum::AuthLayer;
use denizen_client::{AuthError, Authorized, Claims, Policy, User};
use tower::ServiceExt;

use super::table::{MayWrite, Recent, Route, Row, SecondFactor};
use super::{Answer, Guard, check_all, check_body};
use crate::support::{Issuer, USER};

async fn optional(user: Option<User>) -> String {
    user.map_or("nobody".to_owned(), |user| user.id().to_string())
}

async fn required(user: User) -> String {
    user.id().to_string()
}

async fn authorized<R: denizen_client::Requirement>(caller: Authorized<R>) -> String {
    caller.subject().to_string()
}

/// By extractors.
fn by_extractors(guard: &Guard) -> Router {
    Router::new()
        .route(Route::Optional.path(), get(optional))
        .route(Route::User.path(), get(required))
        .route(Route::Permission.path(), get(authorized::<MayWrite>))
        .route(Route::SecondFactor.path(), get(authorized::<SecondFactor>))
        .route(Route::Recent.path(), get(authorized::<Recent>))
        .layer(AuthLayer::identify(guard.verifier.clone()))
}

/// By layers.
fn by_layers(guard: &Guard) -> Router {
    let verifier = || guard.verifier.clone();
    let optional = get(optional).layer(AuthLayer::identify(verifier()));
    Route::ALL.into_iter().fold(Router::new().route(Route::Optional.path(), optional), |router, route| {
        let Some(policy) = route.policy() else { return router };
        let handler = get(async |claims: Claims| claims.subject().to_string());
        router.route(route.path(), handler.layer(AuthLayer::require(verifier(), policy)))
    })
}

pub(super) fn request(row: &Row) -> Request<Body> {
    let mut request = Request::get(row.route.path());
    for value in &row.authorization {
        request = request.header("authorization", value);
    }
    request.body(Body::empty()).unwrap()
}

async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body(), 10_000).await.unwrap();
    Answer { status, challenge, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn with_token(path: &str, token: &str) -> Request<Body> {
    Request::get(path).header("authorization", format!("Bearer {token}")).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn extractors_behave_as_the_table_says() {
    let router = by_extractors(&Guard::start().await);
    check_all(async |row| send(&router, request(row)).await).await;
}

#[tokio::test]
async fn layers_behave_as_the_table_says() {
    let router = by_layers(&Guard::start().await);
    check_all(async |row| send(&router, request(row)).await).await;
}

#[tokio::test]
async fn refusals_have_one_shape_and_an_outage_is_503() {
    let guard = Guard::start().await;
    let router = by_extractors(&guard);
    check_body(&send(&router, with_token("/user", "x")).await, "invalid_token");
    guard.lose_issuer();
    let answer = send(&router, with_token("/user", &Issuer::shared().token())).await;
    assert_eq!((answer.status, &answer.challenge), (503, &None));
    check_body(&answer, "temporarily_unavailable");
}

/// The error type of an application.
struct AppError(StatusCode, &'static str);

impl From<AuthError> for AppError {
    fn from(error: AuthError) -> Self {
        Self(StatusCode::from_u16(error.status()).unwrap(), "the application's own words")
    }
}

impl IntoResponse for AppError {
    fn into_response(self) -> Response {
        (self.0, self.1).into_response()
    }
}

/// An extractor of the application, with its own error.
struct AppUser(User);

impl<S: Send + Sync> FromRequestParts<S> for AppUser {
    type Rejection = AppError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, AppError> {
        Ok(Self(<User as FromRequestParts<S>>::from_request_parts(parts, state).await?))
    }
}

#[tokio::test]
async fn refusals_become_errors_of_the_application() {
    let guard = Guard::start().await;
    let by_result = async |user: Result<User, AuthError>| Ok::<_, AppError>(user?.id().to_string());
    let layer = AuthLayer::require(guard.verifier.clone(), Policy::new());
    let layer = layer.on_rejection(|error: AuthError| AppError::from(error).into_response());
    let router = Router::new()
        .route("/result", get(by_result))
        .route("/own", get(async |AppUser(user): AppUser| user.id().to_string()))
        .layer(AuthLayer::identify(guard.verifier.clone()))
        .route("/layer", get(required).layer(layer));
    for path in ["/result", "/own", "/layer"] {
        let answer = send(&router, with_token(path, "x")).await;
        assert_eq!((answer.status, answer.body.as_str()), (401, "the application's own words"), "{path}");
    }
    let token = Issuer::shared().token();
    for path in ["/result", "/own"] {
        assert_eq!(send(&router, with_token(path, &token)).await.body, USER, "{path}");
    }
}

#[tokio::test]
async fn a_forgotten_layer_admits_nobody() {
    let router = Router::new().route("/user", get(required)).route("/optional", get(optional));
    for path in ["/user", "/optional"] {
        assert_eq!(send(&router, with_token(path, &Issuer::shared().token())).await.status, 500);
    }
}
