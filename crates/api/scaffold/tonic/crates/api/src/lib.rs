//! The gRPC API.
//!
//! Reading order: `proto/notes/v1/notes.proto` → `service` (the methods) → `status` (errors) → `router`.

mod service;
pub mod settings;
pub mod startup;
mod status;

use std::future::Future;
use std::time::Duration;

use denizen_client::Verifier;
use denizen_client::tonic::GrpcRejection;
use denizen_client::tower::AuthLayer;
use domain::NoteService;
use proto::notes_service_server::NotesServiceServer;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;

use crate::service::NotesApi;

/// The messages, the server and the client.
#[expect(missing_docs, clippy::pedantic, reason = "generated code")]
pub mod proto {
    tonic::include_proto!("notes.v1");
}

/// The longest time that a call may take.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);
/// More than the largest note.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// Serves calls until `stop` resolves, and completes those in progress. The health service does not require a token.
pub async fn serve(
    incoming: TcpIncoming,
    verifier: Verifier,
    notes: NoteService,
    stop: impl Future<Output = ()>,
) -> Result<(), tonic::transport::Error> {
    let (reporter, health) = tonic_health::server::health_reporter();
    let notes = NotesServiceServer::new(NotesApi::new(notes)).max_decoding_message_size(MESSAGE_BYTES_MAX);
    reporter.set_serving::<NotesServiceServer<NotesApi>>().await;
    Server::builder()
        .timeout(CALL_TIMEOUT)
        .trace_fn(|request| tracing::info_span!("call", method = request.uri().path()))
        // Each method decides whether it needs a user.
        .layer(AuthLayer::identify(verifier).on_rejection(GrpcRejection))
        .add_service(health)
        .add_service(notes)
        .serve_with_incoming_shutdown(incoming, async {
            stop.await;
            reporter.set_not_serving::<NotesServiceServer<NotesApi>>().await;
        })
        .await
}
