//! `/notes`: the notes of the signed-in user.

use denizen_client::{Claims, User};
use domain::{NoteId, NoteService, OwnerId};
use uuid::Uuid;
use warp::http::StatusCode;
use warp::reply::{Json, WithStatus, json, with_status};

use crate::auth::owner;
use crate::bodies::{DeletedBody, DraftBody, NoteBody, PageBody, PageParams};
use crate::error::{ApiError, ErrorBody};

/// List notes, newest first.
#[utoipa::path(get, path = "/notes", params(PageParams), responses(
    (status = 200, body = PageBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
))]
pub(crate) async fn list(notes: NoteService, user: User, params: PageParams) -> Result<Json, ApiError> {
    let page = notes.list(owner(&user), params.try_into()?).await?;
    Ok(json(&PageBody::from(page)))
}

/// Create a note.
#[utoipa::path(post, path = "/notes", request_body = DraftBody, responses(
    (status = 201, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
pub(crate) async fn create(notes: NoteService, user: User, draft: DraftBody) -> Result<WithStatus<Json>, ApiError> {
    let note = notes.create(owner(&user), draft.try_into()?).await?;
    Ok(with_status(json(&NoteBody::from(note)), StatusCode::CREATED))
}

/// Delete all notes. Requires an authentication in the last five minutes.
#[utoipa::path(delete, path = "/notes", responses((status = 200, body = DeletedBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn delete_all(notes: NoteService, caller: Claims) -> Result<Json, ApiError> {
    let deleted = notes.delete_all(OwnerId(caller.subject())).await?;
    Ok(json(&DeletedBody { deleted }))
}

/// Get a note.
#[utoipa::path(get, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 200, body = NoteBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
pub(crate) async fn get(id: Uuid, notes: NoteService, user: User) -> Result<Json, ApiError> {
    let note = notes.get(owner(&user), NoteId(id)).await?;
    Ok(json(&NoteBody::from(note)))
}

/// Replace a note.
#[utoipa::path(put, path = "/notes/{id}", params(("id" = Uuid, Path)), request_body = DraftBody, responses(
    (status = 200, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
pub(crate) async fn replace(id: Uuid, notes: NoteService, user: User, draft: DraftBody) -> Result<Json, ApiError> {
    let note = notes.replace(owner(&user), NoteId(id), draft.try_into()?).await?;
    Ok(json(&NoteBody::from(note)))
}

/// Delete a note.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
pub(crate) async fn delete(id: Uuid, notes: NoteService, user: User) -> Result<StatusCode, ApiError> {
    notes.delete(owner(&user), NoteId(id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether the service can serve requests.
pub(crate) async fn health(notes: NoteService) -> Result<&'static str, ApiError> {
    notes.check().await?;
    Ok("ok")
}
