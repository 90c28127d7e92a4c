//! The filters of warp.

use std::convert::Infallible;

use denizen_client::warp::{optional_user, recover, require, user};
use denizen_client::{AuthError, Claims, User};
use http_body_util::BodyExt;
use tower::ServiceExt;
use warp::filters::BoxedFilter;
use warp::http::StatusCode;
use warp::reject::Rejection;
use warp::reply::{Reply, Response};
use warp::{Filter, path};

use super::table::{Route, Row};
use super::{Answer, Guard, check_all, check_body};
use crate::support::{Issuer, USER};

fn at(route: Route) -> BoxedFilter<()> {
    path(route.path().trim_start_matches('/')).and(path::end()).boxed()
}

fn routes(guard: &Guard) -> BoxedFilter<(Response,)> {
    let verifier = || guard.verifier.clone();
    let optional = at(Route::Optional)
        .and(optional_user(verifier()))
        .map(|user: Option<User>| user.map_or("nobody".to_owned(), |user| user.id().to_string()).into_response());
    let required = at(Route::User).and(user(verifier())).map(|user: User| user.id().to_string().into_response());
    let mut routes = optional.or(required).unify().boxed();
    for route in [Route::Permission, Route::SecondFactor, Route::Recent] {
        let claims = require(verifier(), route.policy().unwrap());
        let handler = at(route).and(claims).map(|claims: Claims| claims.subject().to_string().into_response());
        routes = routes.or(handler).unify().boxed();
    }
    routes
}

async fn send(
    routes: &(impl Filter<Extract = (Response,), Error = Rejection> + Clone + Send + Sync + 'static),
    path: &str,
    authorization: &[String],
) -> Answer {
    let mut request = http::Request::get(path);
    for value in authorization {
        request = request.header("authorization", value);
    }
    // The requests of `warp::test` have each header once.
    let service = warp::service(routes.clone().recover(recover));
    let response = service.oneshot(request.body(String::new()).unwrap()).await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    Answer { status, challenge, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn bearer(token: &str) -> Vec<String> {
    vec![format!("Bearer {token}")]
}

#[tokio::test]
async fn filters_behave_as_the_table_says() {
    let routes = routes(&Guard::start().await);
    check_all(async |row: &Row| send(&routes, row.route.path(), &row.authorization).await).await;
}

#[tokio::test]
async fn refusals_have_one_shape_and_an_outage_is_503() {
    let guard = Guard::start().await;
    let routes = routes(&guard);
    check_body(&send(&routes, "/user", &bearer("x")).await, "invalid_token");
    guard.lose_issuer();
    let answer = send(&routes, "/user", &bearer(&Issuer::shared().token())).await;
    assert_eq!((answer.status, &answer.challenge), (503, &None));
    check_body(&answer, "temporarily_unavailable");
    // Other rejections are passed on.
    assert_eq!(send(&routes, "/nowhere", &[]).await.status, 404);
}

#[tokio::test]
async fn refusals_become_errors_of_the_application() {
    let guard = Guard::start().await;
    let own_words = async |rejection: Rejection| {
        let status = rejection.find::<AuthError>().map_or(500, AuthError::status);
        let status = StatusCode::from_u16(status).unwrap();
        Ok::<_, Infallible>(warp::reply::with_status("the application's own words", status))
    };
    let routes = routes(&guard).recover(own_words);
    let reply = |token: String| {
        warp::test::request().path("/user").header("authorization", format!("Bearer {token}")).reply(&routes)
    };
    let response = reply("x".to_owned()).await;
    assert_eq!(
        (response.status().as_u16(), response.body().as_ref()),
        (401, b"the application's own words".as_slice())
    );
    assert_eq!(reply(Issuer::shared().token()).await.body(), USER);
}
