//! The interceptor and the layer of tonic.

use std::convert::Infallible;

use denizen_client::tonic::{AuthInterceptor, GrpcRejection, RequestExt};
use denizen_client::tower::AuthLayer;
use tonic::body::Body;
use tonic::metadata::MetadataMap;
use tonic::service::Interceptor;
use tonic::{Code, Request, Status};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::table::{MayWrite, Recent, Route, Row, SecondFactor};
use super::{Answer, Guard, check_all};
use crate::support::Issuer;

/// The HTTP status that means the same.
fn http_status(code: Code) -> u16 {
    match code {
        Code::Ok => 200,
        Code::InvalidArgument => 400,
        Code::Unauthenticated => 401,
        Code::PermissionDenied => 403,
        Code::Unavailable => 503,
        other => panic!("{other:?}"),
    }
}

/// A method, which reads its caller as the route requires.
fn method<T>(route: Route, request: &Request<T>) -> Result<String, Status> {
    Ok(match route {
        Route::Optional => request.optional_user()?.map_or("nobody".to_owned(), |user| user.id().to_string()),
        Route::User => request.user()?.id().to_string(),
        Route::Permission => request.authorized::<MayWrite>()?.subject().to_string(),
        Route::SecondFactor => request.authorized::<SecondFactor>()?.subject().to_string(),
        Route::Recent => request.authorized::<Recent>()?.subject().to_string(),
    })
}

fn answer(outcome: Result<String, Status>) -> Answer {
    match outcome {
        Ok(body) => Answer { status: 200, challenge: None, body },
        Err(status) => {
            let challenge = status.metadata().get("www-authenticate");
            Answer {
                status: http_status(status.code()),
                challenge: challenge.map(|value| value.to_str().unwrap().to_owned()),
                body: status.message().to_owned(),
            }
        }
    }
}

fn request(row: &Row) -> http::Request<()> {
    let mut request = http::Request::post(row.route.path());
    for value in &row.authorization {
        request = request.header("authorization", value);
    }
    request.body(()).unwrap()
}

fn grpc_request(row: &Row) -> Request<()> {
    let (parts, ()) = request(row).into_parts();
    Request::from_parts(MetadataMap::from_headers(parts.headers), parts.extensions, ())
}

/// The methods refuse.
#[tokio::test]
async fn an_identifying_interceptor_behaves_as_the_table_says() {
    let guard = Guard::start().await;
    guard.verifier.refresh_keys().await.unwrap();
    let mut interceptor = AuthInterceptor::identify(guard.verifier.clone());
    check_all(async |row: &Row| {
        let outcome = interceptor.call(grpc_request(row));
        answer(outcome.and_then(|request| method(row.route, &request)))
    })
    .await;
}

/// The interceptor refuses.
#[tokio::test]
async fn a_requiring_interceptor_behaves_as_the_table_says() {
    let guard = Guard::start().await;
    guard.verifier.refresh_keys().await.unwrap();
    check_all(async |row: &Row| {
        let verifier = guard.verifier.clone();
        let mut interceptor = match row.route.policy() {
            Some(policy) => AuthInterceptor::require(verifier, policy),
            None => AuthInterceptor::identify(verifier),
        };
        answer(interceptor.call(grpc_request(row)).and_then(|request| match row.route {
            Route::Optional => method(Route::Optional, &request),
            _ => Ok(request.claims()?.unwrap().subject().to_string()),
        }))
    })
    .await;
}

async fn handle(request: http::Request<()>) -> Result<http::Response<Body>, Infallible> {
    let (parts, ()) = request.into_parts();
    let route = Route::ALL.into_iter().find(|route| route.path() == parts.uri.path()).unwrap();
    let request = Request::from_parts(MetadataMap::from_headers(parts.headers), parts.extensions, ());
    Ok(match method(route, &request) {
        Ok(caller) => http::Response::builder().header("x-caller", caller).body(Body::default()).unwrap(),
        Err(status) => status.into_http(),
    })
}

#[tokio::test]
async fn the_layer_behaves_as_the_table_says() {
    let guard = Guard::start().await;
    check_all(async |row: &Row| {
        let verifier = guard.verifier.clone();
        let layer = match row.route.policy() {
            Some(policy) => AuthLayer::require(verifier, policy),
            None => AuthLayer::identify(verifier),
        };
        let layer = layer.on_rejection(GrpcRejection);
        let service = ServiceBuilder::new().layer(layer).service(service_fn(handle));
        let response = service.oneshot(request(row)).await.unwrap();
        // A refusal is a response with the status 200 and the trailers in its head.
        assert_eq!(response.status(), 200);
        answer(match Status::from_header_map(response.headers()) {
            Some(status) => Err(status),
            None => Ok(response.headers()["x-caller"].to_str().unwrap().to_owned()),
        })
    })
    .await;
}

#[tokio::test]
async fn an_outage_is_unavailable() {
    let guard = Guard::start().await;
    guard.lose_issuer();
    let mut request = Request::new(());
    let value = format!("Bearer {}", Issuer::shared().token()).parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    let mut interceptor = AuthInterceptor::require(guard.verifier.clone(), Route::User.policy().unwrap());
    assert_eq!(interceptor.call(request).unwrap_err().code(), Code::Unavailable);
}

#[test]
fn a_forgotten_interceptor_admits_nobody() {
    assert_eq!(Request::new(()).user().unwrap_err().code(), Code::Internal);
}
