//! The layer on a service of tower, without a framework.

use std::convert::Infallible;

use denizen_client::tower::{AuthLayer, claims, response};
use denizen_client::{AuthError, User, Verifier};
use http::{Request, Response};
use tower::{ServiceBuilder, ServiceExt, service_fn};

use super::table::{Route, Row};
use super::{Answer, Guard, check_all};

/// Responds with the caller, as a service without extractors does.
async fn handle(request: Request<()>) -> Result<Response<String>, Infallible> {
    let user = claims(request.extensions());
    let user = user.and_then(|claims| {
        let is_user = request.uri().path() != Route::Permission.path();
        claims
            .map(|claims| if is_user { User::try_from(claims).map(User::into_claims) } else { Ok(claims) })
            .transpose()
    });
    Ok(match user {
        Ok(Some(claims)) => Response::new(claims.subject().to_string()),
        Ok(None) => Response::new("nobody".to_owned()),
        Err(error) => response(&error),
    })
}

async fn send(verifier: &Verifier, row: &Row) -> Answer {
    let verifier = verifier.clone();
    let layer = match row.route.policy() {
        Some(policy) => AuthLayer::require(verifier, policy),
        None => AuthLayer::identify(verifier),
    };
    let service = ServiceBuilder::new().layer(layer).service(service_fn(handle));
    let mut request = Request::get(row.route.path());
    for value in &row.authorization {
        request = request.header("authorization", value);
    }
    let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    Answer { status: response.status().as_u16(), challenge, body: response.into_body() }
}

#[tokio::test]
async fn the_layer_behaves_as_the_table_says() {
    let guard = Guard::start().await;
    check_all(async |row| send(&guard.verifier, row).await).await;
}

#[test]
fn claims_are_read_behind_a_layer_only() {
    assert_eq!(claims(Request::new(()).extensions()).unwrap_err(), AuthError::NotConfigured);
}
