//! The service as a process, with tokens of a running Denizen. `README.md` says how to run it.

#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

mod support;

use std::time::Duration;

use api::proto::notes_service_client::NotesServiceClient;
use api::proto::{CreateNoteRequest, GetNoteRequest, ListNotesRequest, Note};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::support::{Denizen, Service, SignedIn, eventually};

const SIGN_OUT_SEEN_WITHIN: Duration = Duration::from_secs(5);

fn request<T>(user: &SignedIn, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {}", user.token).parse().unwrap());
    request
}

async fn get(client: &NotesServiceClient<Channel>, user: &SignedIn, id: &str) -> Result<Note, Status> {
    let response = client.clone().get_note(request(user, GetNoteRequest { id: id.to_owned() })).await?;
    Ok(response.into_inner().note.unwrap())
}

#[tokio::test]
async fn notes_belong_to_their_user_until_the_sign_out() {
    let denizen = Denizen::from_environment();
    let service = Service::start(&denizen).await;
    let (ada, bob) = (denizen.user().await, denizen.user().await);
    let channel = Endpoint::from_shared(format!("http://{}", service.address)).unwrap().connect().await.unwrap();
    let mut client = NotesServiceClient::new(channel);

    let draft = CreateNoteRequest { title: "Groceries".to_owned(), body: String::new() };
    let note = client.create_note(request(&ada, draft)).await.unwrap().into_inner().note.unwrap();
    assert_eq!(get(&client, &ada, &note.id).await.unwrap(), note);

    // To others, the note does not exist.
    assert_eq!(get(&client, &bob, &note.id).await.unwrap_err().code(), Code::NotFound);
    let listed = client.list_notes(request(&bob, ListNotesRequest::default())).await.unwrap().into_inner();
    assert_eq!(listed.notes, []);

    denizen.sign_out(&ada).await;
    let is_refused =
        async || get(&client, &ada, &note.id).await.is_err_and(|status| status.code() == Code::Unauthenticated);
    eventually("the sign-out", SIGN_OUT_SEEN_WITHIN, is_refused).await;
    let refused = get(&client, &ada, &note.id).await.unwrap_err();
    let challenge = refused.metadata().get("www-authenticate").unwrap();
    assert_eq!(challenge, "Bearer realm=\"denizen\", error=\"invalid_token\"");

    // The other session is not affected, nor are the notes in the next session.
    client.list_notes(request(&bob, ListNotesRequest::default())).await.unwrap();
    let again = denizen.sign_in(&ada.email).await;
    assert_eq!(get(&client, &again, &note.id).await.unwrap(), note);

    drop(client);
    service.stop().await;
}
