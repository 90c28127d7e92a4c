//! `/notes`: the notes of the signed-in user.

use denizen_client::{AuthError, Authorized, User};
use domain::{NoteId, NoteService, OwnerId};
use rocket::http::Status;
use rocket::response::status::{Custom, NoContent};
use rocket::serde::json::Json;
use rocket::{Route, State, delete, get, post, put, routes};
use utoipa::openapi::OpenApi;
use uuid::Uuid;

use crate::auth::{DeleteAll, owner};
use crate::bodies::{DeletedBody, DraftBody, NoteBody, PageBody, PageParams};
use crate::error::{ApiError, ErrorBody};
use crate::guards::{JsonBody, QueryParams};
use crate::openapi;

/// The caller, or the refusal in the format of this API.
type Caller = Result<User, AuthError>;
/// The id in a path. One that is not a UUID leads to no note.
type Id = Result<Uuid, uuid::Error>;
type Input<T> = Result<T, ApiError>;

pub(crate) fn all() -> Vec<Route> {
    routes![list, create, delete_all, get, replace, delete, document, health]
}

fn note_id(id: Id) -> Result<NoteId, ApiError> {
    id.map(NoteId).map_err(|_| domain::Error::NotFound.into())
}

/// List notes, newest first.
#[utoipa::path(get, path = "/notes", params(PageParams), responses(
    (status = 200, body = PageBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
))]
#[get("/notes")]
pub(crate) async fn list(
    notes: &State<NoteService>,
    user: Caller,
    params: Input<QueryParams<PageParams>>,
) -> Result<Json<PageBody>, ApiError> {
    let (user, QueryParams(params)) = (user?, params?);
    Ok(Json(notes.list(owner(&user), params.try_into()?).await?.into()))
}

/// Create a note.
#[utoipa::path(post, path = "/notes", request_body = DraftBody, responses(
    (status = 201, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
#[post("/notes", data = "<draft>")]
pub(crate) async fn create(
    notes: &State<NoteService>,
    user: Caller,
    draft: Input<JsonBody<DraftBody>>,
) -> Result<Custom<Json<NoteBody>>, ApiError> {
    let (user, JsonBody(draft)) = (user?, draft?);
    let note = notes.create(owner(&user), draft.try_into()?).await?;
    Ok(Custom(Status::Created, Json(note.into())))
}

/// Delete all notes. Requires an authentication in the last five minutes.
#[utoipa::path(delete, path = "/notes", responses((status = 200, body = DeletedBody), (status = 401, body = ErrorBody)))]
#[delete("/notes")]
pub(crate) async fn delete_all(
    notes: &State<NoteService>,
    user: Result<Authorized<DeleteAll>, AuthError>,
) -> Result<Json<DeletedBody>, ApiError> {
    let deleted = notes.delete_all(OwnerId(user?.subject())).await?;
    Ok(Json(DeletedBody { deleted }))
}

/// Get a note.
#[utoipa::path(get, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 200, body = NoteBody), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
#[get("/notes/<id>")]
pub(crate) async fn get(notes: &State<NoteService>, user: Caller, id: Id) -> Result<Json<NoteBody>, ApiError> {
    let user = user?;
    Ok(Json(notes.get(owner(&user), note_id(id)?).await?.into()))
}

/// Replace a note.
#[utoipa::path(put, path = "/notes/{id}", params(("id" = Uuid, Path)), request_body = DraftBody, responses(
    (status = 200, body = NoteBody), (status = 400, body = ErrorBody), (status = 401, body = ErrorBody),
    (status = 404, body = ErrorBody), (status = 413, body = ErrorBody), (status = 415, body = ErrorBody),
))]
#[put("/notes/<id>", data = "<draft>")]
pub(crate) async fn replace(
    notes: &State<NoteService>,
    user: Caller,
    id: Id,
    draft: Input<JsonBody<DraftBody>>,
) -> Result<Json<NoteBody>, ApiError> {
    let (user, id, JsonBody(draft)) = (user?, note_id(id)?, draft?);
    Ok(Json(notes.replace(owner(&user), id, draft.try_into()?).await?.into()))
}

/// Delete a note.
#[utoipa::path(delete, path = "/notes/{id}", params(("id" = Uuid, Path)), responses(
    (status = 204), (status = 401, body = ErrorBody), (status = 404, body = ErrorBody),
))]
#[delete("/notes/<id>")]
pub(crate) async fn delete(notes: &State<NoteService>, user: Caller, id: Id) -> Result<NoContent, ApiError> {
    let user = user?;
    notes.delete(owner(&user), note_id(id)?).await?;
    Ok(NoContent)
}

#[get("/openapi.json")]
fn document() -> Json<OpenApi> {
    Json(openapi::document())
}

/// Whether the service can serve requests.
#[get("/health")]
async fn health(notes: &State<NoteService>) -> Result<&'static str, ApiError> {
    notes.check().await?;
    Ok("ok")
}
