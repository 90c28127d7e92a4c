//! The HTTP API.
//!
//! Reading order: `bodies` (JSON) → `routes` (handlers) → `error` and `respond` (responses) → `configure` (the routes).

mod auth;
mod bodies;
mod error;
mod openapi;
mod respond;
mod routes;
pub mod settings;
pub mod startup;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, JsonConfig, PathConfig, QueryConfig, ServiceConfig};
use denizen_client::Verifier;
use domain::NoteService;
use tracing::Instrument;

use crate::bodies::BODY_BYTES_MAX;
use crate::error::ApiError;

/// The routes. `/openapi.json` and `/health` do not require a token.
pub fn configure(verifier: Verifier, notes: NoteService) -> impl FnOnce(&mut ServiceConfig) {
    move |config| {
        config
            .app_data(Data::new(verifier))
            .app_data(Data::new(notes))
            .app_data(
                JsonConfig::default().limit(BODY_BYTES_MAX).error_handler(|error, _| ApiError::from(error).into()),
            )
            .app_data(QueryConfig::default().error_handler(|error, _| ApiError::Unreadable(error.to_string()).into()))
            // A path whose id is not a UUID leads to no note.
            .app_data(PathConfig::default().error_handler(|_, _| ApiError::from(domain::Error::NotFound).into()))
            .service(
                web::scope("")
                    .wrap(from_fn(trace))
                    .service(
                        web::resource("/notes")
                            .get(routes::list)
                            .post(routes::create)
                            .delete(routes::delete_all)
                            .default_service(web::to(no_such_method)),
                    )
                    .service(
                        web::resource("/notes/{id}")
                            .get(routes::get)
                            .put(routes::replace)
                            .delete(routes::delete)
                            .default_service(web::to(no_such_method)),
                    )
                    .route("/openapi.json", web::get().to(async || web::Json(openapi::document())))
                    .route("/health", web::get().to(routes::health))
                    .default_service(web::to(no_such_path)),
            );
    }
}

async fn no_such_path() -> Result<&'static str, ApiError> {
    Err(ApiError::NoSuchPath)
}

async fn no_such_method() -> Result<&'static str, ApiError> {
    Err(ApiError::NoSuchMethod)
}

/// Logs each request, without its query and headers.
async fn trace(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let route = request.match_pattern().unwrap_or_else(|| "unknown".to_owned());
    let span = tracing::info_span!("request", method = %request.method(), route);
    async {
        let response = next.call(request).await?;
        tracing::info!(status = response.status().as_u16(), "responded");
        Ok(response)
    }
    .instrument(span)
    .await
}
