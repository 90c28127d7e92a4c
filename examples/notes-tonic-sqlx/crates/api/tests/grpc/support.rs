//! A running service and a client.

use api::proto::Note;
use api::proto::notes_service_client::NotesServiceClient;
use api::proto::{CreateNoteRequest, DeleteAllNotesRequest, DeleteNoteRequest, GetNoteRequest, ListNotesRequest};
use api::proto::{ListNotesResponse, ReplaceNoteRequest};
use api::serve;
use domain::{NoteService, Notes};
use infra::Database;
use testkit::{TestDatabase, TestIssuer};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tonic::transport::server::TcpIncoming;
use tonic::transport::{Channel, Endpoint};
use tonic::{Request, Status};

/// The service, on a port of its own.
pub(crate) struct World {
    pub(crate) issuer: TestIssuer,
    pub(crate) channel: Channel,
    _database: Option<TestDatabase>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<Result<(), tonic::transport::Error>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        let database = TestDatabase::create().await;
        let store = Database::open(database.url(), 2).await.unwrap();
        Self::start_on(store, Some(database))
    }

    pub(crate) fn start_on(store: impl Notes, database: Option<TestDatabase>) -> Self {
        let issuer = TestIssuer::new();
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", incoming.local_addr().unwrap());
        let (stop, stopped) = oneshot::channel();
        let serving = serve(incoming, issuer.verifier(), NoteService::new(store), async {
            drop(stopped.await);
        });
        let server = tokio::spawn(serving);
        let channel = Endpoint::from_shared(url).unwrap().connect_lazy();
        Self { issuer, channel, _database: database, stop: Some(stop), server }
    }

    /// A client that sends this token.
    pub(crate) fn client(&self, token: Option<&str>) -> Client {
        Client { client: NotesServiceClient::new(self.channel.clone()), token: token.map(ToOwned::to_owned) }
    }

    /// Stops the service and waits until it has ended.
    pub(crate) async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        drop(self.channel);
        self.server.await.unwrap().unwrap();
    }
}

#[derive(Clone)]
pub(crate) struct Client {
    client: NotesServiceClient<Channel>,
    token: Option<String>,
}

impl Client {
    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        request
    }

    pub(crate) async fn create(&mut self, title: &str, body: &str) -> Result<Note, Status> {
        let request = self.request(CreateNoteRequest { title: title.to_owned(), body: body.to_owned() });
        Ok(self.client.create_note(request).await?.into_inner().note.unwrap())
    }

    pub(crate) async fn list(
        &mut self,
        limit: Option<u32>,
        before: Option<String>,
    ) -> Result<ListNotesResponse, Status> {
        let request = self.request(ListNotesRequest { limit, before });
        Ok(self.client.list_notes(request).await?.into_inner())
    }

    pub(crate) async fn get(&mut self, id: &str) -> Result<Note, Status> {
        let request = self.request(GetNoteRequest { id: id.to_owned() });
        Ok(self.client.get_note(request).await?.into_inner().note.unwrap())
    }

    pub(crate) async fn replace(&mut self, id: &str, title: &str) -> Result<Note, Status> {
        let request =
            self.request(ReplaceNoteRequest { id: id.to_owned(), title: title.to_owned(), body: String::new() });
        Ok(self.client.replace_note(request).await?.into_inner().note.unwrap())
    }

    pub(crate) async fn delete(&mut self, id: &str) -> Result<(), Status> {
        let request = self.request(DeleteNoteRequest { id: id.to_owned() });
        self.client.delete_note(request).await.map(drop)
    }

    pub(crate) async fn delete_all(&mut self) -> Result<u64, Status> {
        let request = self.request(DeleteAllNotesRequest {});
        Ok(self.client.delete_all_notes(request).await?.into_inner().deleted)
    }
}
