//! `/notes`: the notes of the signed-in user.

use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use denizen_client::{AuthError, Authorized, Policy, Requirement, User};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;
use uuid::Uuid;

use super::store::Notes;
use super::{Draft, Note};
use crate::error::ApiError;

const PAGE_DEFAULT: u32 = 50;
const PAGE_MAX: u32 = 200;
/// The maximum age of the authentication when deleting all notes.
const RECENT: Duration = Duration::from_mins(5);

pub(crate) fn routes() -> OpenApiRouter<Notes> {
    OpenApiRouter::new().routes(routes!(list, create, delete_all)).routes(routes!(get, replace, delete))
}

/// The caller, or the refusal in the format of this API.
type Caller = Result<User, AuthError>;

/// The policy for deleting all notes.
struct DeleteAll;

impl Requirement for DeleteAll {
    fn policy() -> Policy {
        Policy::user().max_age(RECENT)
    }
}

#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Page {
    /// The id of the last note of the page before.
    before: Option<Uuid>,
    /// The number of notes: 1 to 200, by default 50.
    limit: Option<u32>,
}

#[derive(Serialize, ToSchema)]
struct Deleted {
    /// The number of notes.
    deleted: u64,
}

/// List notes, newest first.
#[utoipa::path(get, path = "/notes", params(Page), responses((status = 200, body = Vec<Note>), (status = 401)))]
async fn list(
    State(notes): State<Notes>,
    user: Caller,
    page: Result<Query<Page>, QueryRejection>,
) -> Result<Json<Vec<Note>>, ApiError> {
    let (user, Query(page)) = (user?, page?);
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    if !(1..=PAGE_MAX).contains(&limit) {
        return Err(ApiError::Invalid(format!("limit must be 1 to {PAGE_MAX}")));
    }
    Ok(Json(notes.list(user.id(), page.before, limit).await?))
}

/// Create a note.
#[utoipa::path(post, path = "/notes", request_body = Draft, responses((status = 201, body = Note), (status = 400), (status = 401), (status = 413), (status = 415)))]
async fn create(
    State(notes): State<Notes>,
    user: Caller,
    draft: Result<Json<Draft>, JsonRejection>,
) -> Result<(StatusCode, Json<Note>), ApiError> {
    let (user, Json(draft)) = (user?, draft?);
    Ok((StatusCode::CREATED, Json(notes.create(user.id(), draft).await?)))
}

/// Delete all notes. Requires an authentication in the last five minutes.
#[utoipa::path(delete, path = "/notes", responses((status = 200, body = Deleted), (status = 401)))]
async fn delete_all(
    State(notes): State<Notes>,
    user: Result<Authorized<DeleteAll>, AuthError>,
) -> Result<Json<Deleted>, ApiError> {
    let deleted = notes.delete_all(user?.subject()).await?;
    Ok(Json(Deleted { deleted }))
}

/// Get a note.
#[utoipa::path(get, path = "/notes/{id}", params(("id" = Uuid, Path)), responses((status = 200, body = Note), (status = 401), (status = 404)))]
async fn get(
    State(notes): State<Notes>,
    user: Caller,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<Note>, ApiError> {
    let (user, Path(id)) = (user?, id?);
    notes.find(user.id(), id).await?.map(Json).ok_or(ApiError::NotFound)
}

/// Replace a note.
#[utoipa::path(put, path = "/notes/{id}", params(("id" = Uuid, Path)), request_body = Draft, responses((status = 200, body = Note), (status = 400), (status = 401), (status = 404), (status = 413), (status = 415)))]
async fn replace(
    State(notes): State<Notes>,
    user: Caller,
    id: Result<Path<Uuid>, PathRejection>,
    draft: Result<Json<Draft>, JsonRejection>,
) -> Result<Json<Note>, ApiError> {
    let (user, Path(id), Json(draft)) = (user?, id?, draft?);
    notes.replace(user.id(), id, draft).await?.map(Json).ok_or(ApiError::NotFound)
}

/// Delete a note.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = Uuid, Path)), responses((status = 204), (status = 401), (status = 404)))]
async fn delete(
    State(notes): State<Notes>,
    user: Caller,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let (user, Path(id)) = (user?, id?);
    if notes.delete(user.id(), id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(ApiError::NotFound) }
}
