//! The methods: the notes of the signed-in user.

use std::time::Duration;

use denizen_client::tonic::RequestExt;
use denizen_client::{Policy, Requirement};
use domain::{Draft, Error, Note, NoteId, NoteService, OwnerId, PageRequest};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::proto;
use crate::proto::notes_service_server::NotesService;
use crate::status::{from_error, from_invalid};

/// The maximum age of the authentication for what cannot be undone.
const RECENT: Duration = Duration::from_mins(5);

/// The policy for deleting all notes: a user who authenticated in the last five minutes.
struct DeleteAll;

impl Requirement for DeleteAll {
    fn policy() -> Policy {
        Policy::user().max_age(RECENT)
    }
}

/// The implementation of the service.
#[derive(Debug)]
pub(crate) struct NotesApi {
    notes: NoteService,
}

impl NotesApi {
    pub(crate) fn new(notes: NoteService) -> Self {
        Self { notes }
    }
}

/// Whose notes the caller can access.
fn owner<T>(request: &Request<T>) -> Result<OwnerId, Status> {
    Ok(OwnerId(request.user()?.id()))
}

/// An id that is not a UUID leads to no note.
fn note_id(id: &str) -> Result<NoteId, Status> {
    Uuid::parse_str(id).map(NoteId).map_err(|_| from_error(Error::NotFound))
}

fn message(note: &Note) -> proto::Note {
    proto::Note {
        id: note.id.0.to_string(),
        title: note.title.as_str().to_owned(),
        body: note.body.as_str().to_owned(),
    }
}

#[tonic::async_trait]
impl NotesService for NotesApi {
    async fn create_note(
        &self,
        request: Request<proto::CreateNoteRequest>,
    ) -> Result<Response<proto::CreateNoteResponse>, Status> {
        let owner = owner(&request)?;
        let input = request.into_inner();
        let draft = Draft::parse(input.title, input.body).map_err(from_invalid)?;
        let note = self.notes.create(owner, draft).await.map_err(from_error)?;
        Ok(Response::new(proto::CreateNoteResponse { note: Some(message(&note)) }))
    }

    async fn list_notes(
        &self,
        request: Request<proto::ListNotesRequest>,
    ) -> Result<Response<proto::ListNotesResponse>, Status> {
        let owner = owner(&request)?;
        let input = request.into_inner();
        let before = input.before.map(|id| Uuid::parse_str(&id).map(NoteId)).transpose();
        let before = before.map_err(|_| Status::invalid_argument("before must be a UUID"))?;
        let page = PageRequest::parse(before, input.limit).map_err(from_invalid)?;
        let page = self.notes.list(owner, page).await.map_err(from_error)?;
        let notes = page.notes.iter().map(message).collect();
        Ok(Response::new(proto::ListNotesResponse { notes, next: page.next.map(|id| id.0.to_string()) }))
    }

    async fn get_note(
        &self,
        request: Request<proto::GetNoteRequest>,
    ) -> Result<Response<proto::GetNoteResponse>, Status> {
        let (owner, id) = (owner(&request)?, note_id(&request.get_ref().id)?);
        let note = self.notes.get(owner, id).await.map_err(from_error)?;
        Ok(Response::new(proto::GetNoteResponse { note: Some(message(&note)) }))
    }

    async fn replace_note(
        &self,
        request: Request<proto::ReplaceNoteRequest>,
    ) -> Result<Response<proto::ReplaceNoteResponse>, Status> {
        let (owner, id) = (owner(&request)?, note_id(&request.get_ref().id)?);
        let input = request.into_inner();
        let draft = Draft::parse(input.title, input.body).map_err(from_invalid)?;
        let note = self.notes.replace(owner, id, draft).await.map_err(from_error)?;
        Ok(Response::new(proto::ReplaceNoteResponse { note: Some(message(&note)) }))
    }

    async fn delete_note(
        &self,
        request: Request<proto::DeleteNoteRequest>,
    ) -> Result<Response<proto::DeleteNoteResponse>, Status> {
        let (owner, id) = (owner(&request)?, note_id(&request.get_ref().id)?);
        self.notes.delete(owner, id).await.map_err(from_error)?;
        Ok(Response::new(proto::DeleteNoteResponse {}))
    }

    async fn delete_all_notes(
        &self,
        request: Request<proto::DeleteAllNotesRequest>,
    ) -> Result<Response<proto::DeleteAllNotesResponse>, Status> {
        let caller = request.authorized::<DeleteAll>()?;
        let deleted = self.notes.delete_all(OwnerId(caller.subject())).await.map_err(from_error)?;
        Ok(Response::new(proto::DeleteAllNotesResponse { deleted }))
    }
}
