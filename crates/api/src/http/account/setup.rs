//! `/account/setup`, and `/setup` where that is free: the page that creates the first administrator, with the token of a setup link.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use denizen_domain::credentials::NewPassword;
use denizen_domain::error::Error;
use denizen_domain::setup::{self, NewAdmin};
use denizen_domain::users::{DisplayName, EmailAddress, Locale};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;

use super::frame::{Frame, Script};
use super::texts::Texts;
use super::{Field, page};
use crate::http::Shared;
use crate::http::body::UserBody;
use crate::http::extract::{Caller, Fields, JsonBody, Query};
use crate::http::problem::Problem;

/// The path of the page.
pub(crate) const PATH: &str = "/account/setup";
/// A shorter path, which redirects to it. Not a route: an application that embeds the server may have its own.
pub(crate) const SHORT_PATH: &str = "/setup";
const PAGE: &str = include_str!("setup.html");
const CLOSED: &str = include_str!("setup-closed.html");

/// What the link carries.
#[derive(Deserialize)]
struct Params {
    token: Option<SecretString>,
}

/// The first administrator. No part of the API: only the page sends it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SetupBody {
    token: SecretString,
    email: String,
    name: String,
    password: SecretString,
}

pub(super) fn routes() -> Router<Shared> {
    Router::new().route(PATH, get(show).post(create))
}

/// Shows the form if the link can be used. Programs that follow links do not use it up.
async fn show(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    Query(params): Query<Params>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let token = params.token.unwrap_or_default();
    let is_open = match setup::require_open(&ctx, &token).await {
        Ok(()) => true,
        Err(Error::Invalid(_)) => false,
        Err(error) => return Err(error.into()),
    };
    let (texts, policy) = (Texts::of_request(&headers), &shared.services.policy);
    let product = &policy.product_name;
    Ok(page(if is_open { form(texts, product, policy.password_chars_min) } else { closed(texts, product) }))
}

async fn create(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    JsonBody(body): JsonBody<SetupBody>,
) -> Result<Response, Problem> {
    let mut fields = Fields::default();
    let email = fields.check("email", EmailAddress::parse(&body.email));
    let name = fields.check("name", DisplayName::parse(&body.name));
    let password = NewPassword::parse(&body.password, shared.services.policy.password_chars_min);
    let password = fields.check("password", password);
    let locale = Locale::parse(Texts::of_request(&headers).language).ok();
    let new = (|| Some(NewAdmin { email: email?, name: name?, password: password?, locale }))();

    let user = setup::complete(&ctx, &body.token, fields.finish(new)?).await?;
    Ok((StatusCode::CREATED, [(CACHE_CONTROL, "no-store")], Json(UserBody::from(user))).into_response())
}

/// The page with the form. Every value is escaped.
pub(super) fn form(texts: &Texts, product: &str, password_chars_min: u32) -> String {
    let password = Field::Password("password").written(texts, password_chars_min);
    let main = texts.fill(PAGE).replace("{password}", &password);
    let script = Some(Script { file: "setup.js", settings: texts.errors() });
    Frame { texts, product, title: "setup.title", base: "", script }.around(&main)
}

/// The page of a link that cannot be used.
pub(super) fn closed(texts: &Texts, product: &str) -> String {
    Frame { texts, product, title: "setup.title", base: "", script: None }.around(&texts.fill(CLOSED))
}
