//! The extractors and the middleware of Actix Web.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, init_service};
use actix_web::{App, Error, HttpResponse, ResponseError, web};
use denizen_client::actix::Auth;
use denizen_client::{AuthError, Authorized, Claims, Clock, OptionalUser, Requirement, User, Verifier};

use super::table::{MayWrite, Recent, Route, Row, SecondFactor};
use super::{Answer, Guard, check_all, check_body};
use crate::support::{AUDIENCE, ISSUER, Issuer, Net, TestClock, USER};

async fn optional(OptionalUser(user): OptionalUser) -> String {
    user.map_or("nobody".to_owned(), |user| user.id().to_string())
}

async fn required(user: User) -> String {
    user.id().to_string()
}

async fn caller(claims: Claims) -> String {
    claims.subject().to_string()
}

async fn authorized<R: Requirement>(caller: Authorized<R>) -> String {
    caller.subject().to_string()
}

fn by_extractors(guard: &Guard) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let verifier = web::Data::new(guard.verifier.clone());
    move |config| {
        config
            .app_data(verifier)
            .route(Route::Optional.path(), web::get().to(optional))
            .route(Route::User.path(), web::get().to(required))
            .route(Route::Permission.path(), web::get().to(authorized::<MayWrite>))
            .route(Route::SecondFactor.path(), web::get().to(authorized::<SecondFactor>))
            .route(Route::Recent.path(), web::get().to(authorized::<Recent>));
    }
}

fn by_middleware(guard: &Guard) -> impl FnOnce(&mut web::ServiceConfig) + use<> {
    let verifier = guard.verifier.clone();
    move |config| {
        for route in Route::ALL {
            let resource = web::resource(route.path());
            match route.policy() {
                Some(policy) => {
                    config.service(resource.wrap(Auth::require(verifier.clone(), policy)).route(web::get().to(caller)))
                }
                None => config.service(resource.wrap(Auth::identify(verifier.clone())).route(web::get().to(optional))),
            };
        }
    }
}

fn request(path: &str, authorization: &[String]) -> TestRequest {
    let request = TestRequest::get().uri(path);
    authorization.iter().fold(request, |request, value| request.append_header(("authorization", value.as_str())))
}

/// `R` is the request of the HTTP implementation, which Actix Web does not export.
async fn send<R, B, S>(service: &S, request: R) -> Answer
where
    B: MessageBody,
    S: Service<R, Response = ServiceResponse<B>, Error = Error>,
{
    let response = service.call(request).await.unwrap();
    let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
    let status = response.status().as_u16();
    let body = to_bytes(response.into_body()).await.ok().unwrap();
    Answer { status, challenge, body: String::from_utf8(body.to_vec()).unwrap() }
}

fn bearer(token: &str) -> Vec<String> {
    vec![format!("Bearer {token}")]
}

#[actix_web::test]
async fn extractors_behave_as_the_table_says() {
    let guard = Guard::start().await;
    let service = init_service(App::new().configure(by_extractors(&guard))).await;
    check_all(async |row: &Row| send(&service, request(row.route.path(), &row.authorization).to_request()).await).await;
}

#[actix_web::test]
async fn middleware_behaves_as_the_table_says() {
    let guard = Guard::start().await;
    let service = init_service(App::new().configure(by_middleware(&guard))).await;
    check_all(async |row: &Row| send(&service, request(row.route.path(), &row.authorization).to_request()).await).await;
}

#[actix_web::test]
async fn refusals_have_one_shape_and_an_outage_is_503() {
    let guard = Guard::start().await;
    let service = init_service(App::new().configure(by_extractors(&guard))).await;
    check_body(&send(&service, request("/user", &bearer("x")).to_request()).await, "invalid_token");
    guard.lose_issuer();
    let answer = send(&service, request("/user", &bearer(&Issuer::shared().token())).to_request()).await;
    assert_eq!((answer.status, &answer.challenge), (503, &None));
    check_body(&answer, "temporarily_unavailable");
}

/// The error type of an application.
#[derive(Debug)]
struct AppError(AuthError);

impl std::fmt::Display for AppError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the application's own words")
    }
}

impl ResponseError for AppError {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.0.status()).unwrap()
    }
}

impl From<AuthError> for AppError {
    fn from(error: AuthError) -> Self {
        Self(error)
    }
}

#[actix_web::test]
async fn refusals_become_errors_of_the_application() {
    let guard = Guard::start().await;
    let by_result = async |user: Result<User, AuthError>| Ok::<_, AppError>(user?.id().to_string());
    let middleware = Auth::require(guard.verifier.clone(), Route::User.policy().unwrap())
        .on_rejection(|error| HttpResponse::from_error(AppError(error)));
    let app = App::new()
        .app_data(guard.verifier.clone())
        .route("/result", web::get().to(by_result))
        .service(web::resource("/wrapped").wrap(middleware).route(web::get().to(required)));
    let service = init_service(app).await;
    for path in ["/result", "/wrapped"] {
        let answer = send(&service, request(path, &bearer("x")).to_request()).await;
        assert_eq!((answer.status, answer.body.as_str()), (401, "the application's own words"), "{path}");
        assert_eq!(
            send(&service, request(path, &bearer(&Issuer::shared().token())).to_request()).await.body,
            USER,
            "{path}"
        );
    }
}

/// Counts how often the time is read: once for each verification, while there are keys.
#[derive(Debug, Clone, Default)]
struct CountingClock(TestClock, Arc<AtomicUsize>);

impl Clock for CountingClock {
    fn unix_time(&self) -> Duration {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.unix_time()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }
}

fn verifier(audience: &str, clock: CountingClock) -> Verifier {
    let net = Net::default();
    net.serve_issuer(Issuer::shared());
    Verifier::builder(ISSUER).audience(audience).clock(clock).transport(net).build().unwrap()
}

#[actix_web::test]
async fn a_token_is_verified_once_for_all_extractors_of_a_request() {
    let three = async |user: User, caller: Claims, OptionalUser(optional): OptionalUser| {
        assert_eq!((caller.subject(), optional.as_ref()), (user.id(), Some(&user)));
        user.id().to_string()
    };
    let mut counts = Vec::new();
    for path in ["/one", "/three"] {
        let clock = CountingClock::default();
        let app = App::new()
            .app_data(verifier(AUDIENCE, clock.clone()))
            .route("/one", web::get().to(required))
            .route("/three", web::get().to(three));
        let service = init_service(app).await;
        // The first request waits for the keys.
        let send_and_count = async || {
            let answer = send(&service, request(path, &bearer(&Issuer::shared().token())).to_request()).await;
            assert_eq!((answer.status, answer.body.as_str()), (200, USER), "{path}");
            clock.1.swap(0, Ordering::Relaxed)
        };
        counts.push([send_and_count().await, send_and_count().await]);
    }
    assert_eq!((counts[0], counts[0][1]), (counts[1], 1));
}

#[actix_web::test]
async fn the_verifier_of_a_scope_applies_after_an_extractor_outside_it() {
    async fn outside(
        _: User,
        request: ServiceRequest,
        next: Next<impl MessageBody>,
    ) -> Result<ServiceResponse<impl MessageBody>, Error> {
        next.call(request).await
    }
    let scope = |path, audience| {
        web::scope(path).app_data(verifier(audience, CountingClock::default())).route("", web::get().to(required))
    };
    let app = App::new()
        .wrap(from_fn(outside))
        .app_data(verifier(AUDIENCE, CountingClock::default()))
        .service(scope("/same", AUDIENCE))
        .service(scope("/other", "other"));
    let service = init_service(app).await;
    for (path, status) in [("/same", 200), ("/other", 401)] {
        let answer = send(&service, request(path, &bearer(&Issuer::shared().token())).to_request()).await;
        assert_eq!(answer.status, status, "{path}");
    }
}

#[actix_web::test]
async fn a_forgotten_verifier_admits_nobody() {
    let app = App::new().route("/user", web::get().to(required)).route("/optional", web::get().to(optional));
    let service = init_service(app).await;
    for path in ["/user", "/optional"] {
        assert_eq!(send(&service, request(path, &bearer(&Issuer::shared().token())).to_request()).await.status, 500);
    }
}
