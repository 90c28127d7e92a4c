//! `/notes`: the notes of the signed-in user.

use actix_web::web::{Data, Json, Path, Query};
use actix_web::{Error, HttpResponse};
use denizen_client::{AuthError, Authorized, User};
use domain::{NoteId, NoteService, OwnerId};
use uuid::Uuid;

use crate::auth::{DeleteAll, owner};
use crate::bodies::{DeletedBody, DraftBody, NoteBody, PageBody, PageParams};
use crate::error::{ApiError, ErrorBody};

/// The caller, or the refusal in the format of this API.
type Caller = Result<User, AuthError>;
/// An extractor that is evaluated after the caller.
type Input<T> = Result<T, Error>;

/// List notes, newest first.
#[utoipa::path(get, path = "/notes", params(PageParams), responses(
    (status = 200, body = PageBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
))]
pub(crate) async fn list(
    notes: Data<NoteService>,
    user: Caller,
    params: Input<Query<PageParams>>,
) -> Result<Json<PageBody>, Error> {
    let user = user.map_err(ApiError::from)?;
    let request = params?.into_inner().try_into().map_err(ApiError::from)?;
    let page = notes.list(owner(&user), request).await.map_err(ApiError::from)?;
    Ok(Json(page.into()))
}

/// Create a note.
#[utoipa::path(post, path = "/notes", request_body = DraftBody, responses(
    (status = 201, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
pub(crate) async fn create(
    notes: Data<NoteService>,
    user: Caller,
    draft: Input<Json<DraftBody>>,
) -> Result<HttpResponse, Error> {
    let user = user.map_err(ApiError::from)?;
    let draft = draft?.into_inner().try_into().map_err(ApiError::from)?;
    let note = notes.create(owner(&user), draft).await.map_err(ApiError::from)?;
    Ok(HttpResponse::Created().json(NoteBody::from(note)))
}

/// Delete all notes. Requires an authentication in the last five minutes.
#[utoipa::path(delete, path = "/notes", responses((status = 200, body = DeletedBody), (status = 401, body = ErrorBody)))]
pub(crate) async fn delete_all(
    notes: Data<NoteService>,
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
    notes: Data<NoteService>,
    user: Caller,
    id: Input<Path<Uuid>>,
) -> Result<Json<NoteBody>, Error> {
    let user = user.map_err(ApiError::from)?;
    let note = notes.get(owner(&user), NoteId(id?.into_inner())).await.map_err(ApiError::from)?;
    Ok(Json(note.into()))
}

/// Replace a note.
#[utoipa::path(put, path = "/notes/{id}", params(("id" = Uuid, Path)), request_body = DraftBody, responses(
    (status = 200, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
pub(crate) async fn replace(
    notes: Data<NoteService>,
    user: Caller,
    id: Input<Path<Uuid>>,
    draft: Input<Json<DraftBody>>,
) -> Result<Json<NoteBody>, Error> {
    let user = user.map_err(ApiError::from)?;
    let id = NoteId(id?.into_inner());
    let draft = draft?.into_inner().try_into().map_err(ApiError::from)?;
    let note = notes.replace(owner(&user), id, draft).await.map_err(ApiError::from)?;
    Ok(Json(note.into()))
}

/// Delete a note.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
pub(crate) async fn delete(
    notes: Data<NoteService>,
    user: Caller,
    id: Input<Path<Uuid>>,
) -> Result<HttpResponse, Error> {
    let user = user.map_err(ApiError::from)?;
    notes.delete(owner(&user), NoteId(id?.into_inner())).await.map_err(ApiError::from)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Whether the service can serve requests.
pub(crate) async fn health(notes: Data<NoteService>) -> Result<&'static str, ApiError> {
    notes.check().await?;
    Ok("ok")
}
