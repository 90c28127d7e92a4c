//! The HTTP API.
//!
//! Reading order: `bodies` (JSON) → `routes` (handlers) → `error` and `respond` (responses) → `app` (the filters).

mod auth;
mod bodies;
mod error;
mod openapi;
mod respond;
mod routes;
pub mod settings;
pub mod startup;

use std::convert::Infallible;

use denizen_client::warp::{require, user};
use denizen_client::{Requirement, Verifier};
use domain::NoteService;
use uuid::Uuid;
use warp::filters::{BoxedFilter, body, log, query};
use warp::reply::Response;
use warp::{Filter, Rejection, Reply};

use crate::auth::DeleteAll;
use crate::bodies::{BODY_BYTES_MAX, DraftBody, PageParams};

/// The filters of all routes. `/openapi.json` and `/health` do not require a token.
#[must_use]
pub fn app(verifier: &Verifier, notes: &NoteService) -> BoxedFilter<(Response,)> {
    all_notes(verifier, notes)
        .or(one_note(verifier, notes))
        .unify()
        .or(open(notes))
        .unify()
        .recover(respond::recover)
        .unify()
        .with(log::custom(|info| log_request(&info)))
        .with(warp::trace(|info| tracing::info_span!("request", method = %info.method(), path = info.path())))
        .map(Reply::into_response)
        .boxed()
}

/// `/notes`.
fn all_notes(verifier: &Verifier, notes: &NoteService) -> BoxedFilter<(Response,)> {
    let path = warp::path!("notes");
    let list = path
        .and(warp::get())
        .and(with(notes))
        .and(user(verifier.clone()))
        .and(query::query::<PageParams>())
        .then(routes::list)
        .map(Reply::into_response);
    let create = path
        .and(warp::post())
        .and(with(notes))
        .and(user(verifier.clone()))
        .and(draft())
        .then(routes::create)
        .map(Reply::into_response);
    let delete_all = path
        .and(warp::delete())
        .and(with(notes))
        .and(require(verifier.clone(), DeleteAll::policy()))
        .then(routes::delete_all)
        .map(Reply::into_response);
    list.or(create).unify().or(delete_all).unify().boxed()
}

/// `/notes/{id}`.
fn one_note(verifier: &Verifier, notes: &NoteService) -> BoxedFilter<(Response,)> {
    let path = warp::path!("notes" / Uuid);
    let get =
        path.and(warp::get()).and(with(notes)).and(user(verifier.clone())).then(routes::get).map(Reply::into_response);
    let replace = path
        .and(warp::put())
        .and(with(notes))
        .and(user(verifier.clone()))
        .and(draft())
        .then(routes::replace)
        .map(Reply::into_response);
    let delete = path
        .and(warp::delete())
        .and(with(notes))
        .and(user(verifier.clone()))
        .then(routes::delete)
        .map(Reply::into_response);
    get.or(replace).unify().or(delete).unify().boxed()
}

/// What does not require a token.
fn open(notes: &NoteService) -> BoxedFilter<(Response,)> {
    let document =
        warp::path!("openapi.json").and(warp::get()).map(|| warp::reply::json(&openapi::document()).into_response());
    let health = warp::path!("health").and(warp::get()).and(with(notes)).then(routes::health).map(Reply::into_response);
    document.or(health).unify().boxed()
}

fn with(notes: &NoteService) -> impl Filter<Extract = (NoteService,), Error = Infallible> + Clone + use<> {
    let notes = notes.clone();
    warp::any().map(move || notes.clone())
}

/// A note that a user writes.
fn draft() -> impl Filter<Extract = (DraftBody,), Error = Rejection> + Clone {
    body::content_length_limit(BODY_BYTES_MAX as u64).and(body::json())
}

/// Logs each request, without its query and headers.
fn log_request(info: &log::Info<'_>) {
    tracing::info!(status = info.status().as_u16(), "responded");
}
