//! `/notes`: the notes of the signed-in user.

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use denizen_client::{AuthError, Authorized, User};
use domain::{NoteId, NoteService, OwnerId};
use uuid::Uuid;

use crate::auth::{DeleteAll, owner};
use crate::bodies::{DeletedBody, DraftBody, NoteBody, PageBody, PageParams};
use crate::error::{ApiError, ErrorBody};

/// The caller, or the refusal in the format of this API.
type Caller = Result<User, AuthError>;

/// List notes, newest first.
#[utoipa::path(get, path = "/notes", params(PageParams), responses(
    (status = 200, body = PageBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
))]
pub(crate) async fn list(
    State(notes): State<NoteService>,
    user: Caller,
    params: Result<Query<PageParams>, QueryRejection>,
) -> Result<Json<PageBody>, ApiError> {
    let (user, Query(params)) = (user?, params?);
    Ok(Json(notes.list(owner(&user), params.try_into()?).await?.into()))
}

/// Create a note.
#[utoipa::path(post, path = "/notes", request_body = DraftBody, responses(
    (status = 201, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
pub(crate) async fn create(
    State(notes): State<NoteService>,
    user: Caller,
    draft: Result<Json<DraftBody>, JsonRejection>,
) -> Result<(StatusCode, Json<NoteBody>), ApiError> {
    let (user, Json(draft)) = (user?, draft?);
    let note = notes.create(owner(&user), draft.try_into()?).await?;
    Ok((StatusCode::CREATED, Json(note.into())))
}

/// Delete all notes. Requires an authentication in the last five minutes.
#[utoipa::path(delete, path = "/notes", responses((status = 200, body = DeletedBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn delete_all(
    State(notes): State<NoteService>,
    user: Result<Authorized<DeleteAll>, AuthError>,
) -> Result<Json<DeletedBody>, ApiError> {
    let deleted = notes.delete_all(OwnerId(user?.subject())).await?;
    Ok(Json(DeletedBody { deleted }))
}

/// Get a note.
#[utoipa::path(get, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 200, body = NoteBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
pub(crate) async fn get(
    State(notes): State<NoteService>,
    user: Caller,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<Json<NoteBody>, ApiError> {
    let (user, Path(id)) = (user?, id?);
    Ok(Json(notes.get(owner(&user), NoteId(id)).await?.into()))
}

/// Replace a note.
#[utoipa::path(put, path = "/notes/{id}", params(("id" = Uuid, Path)), request_body = DraftBody, responses(
    (status = 200, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
pub(crate) async fn replace(
    State(notes): State<NoteService>,
    user: Caller,
    id: Result<Path<Uuid>, PathRejection>,
    draft: Result<Json<DraftBody>, JsonRejection>,
) -> Result<Json<NoteBody>, ApiError> {
    let (user, Path(id), Json(draft)) = (user?, id?, draft?);
    Ok(Json(notes.replace(owner(&user), NoteId(id), draft.try_into()?).await?.into()))
}

/// Delete a note.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
pub(crate) async fn delete(
    State(notes): State<NoteService>,
    user: Caller,
    id: Result<Path<Uuid>, PathRejection>,
) -> Result<StatusCode, ApiError> {
    let (user, Path(id)) = (user?, id?);
    notes.delete(owner(&user), NoteId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the service can serve requests.
pub(crate) async fn health(State(notes): State<NoteService>) -> Result<&'static str, ApiError> {
    notes.check().await?;
    Ok("ok")
}
