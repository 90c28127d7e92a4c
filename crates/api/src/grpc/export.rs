//! `UserService.ExportUsers`: every user in a stream, from a cursor, in constant memory.

use std::pin::Pin;

use denizen_domain::page::{Listed, Start};
use denizen_domain::tokens;
use denizen_domain::users::User;
use denizen_proto::v1;
use prost::Message;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::Status;
use tracing::Instrument;

use super::call::Call;
use super::convert;
use super::status::Refusal;
use crate::http::problem::Chain;
use crate::http::transfer::page_after;

/// How many messages wait for a slow reader.
const MESSAGES_AHEAD: usize = 2;
/// About how large a message is: far below what clients take.
const MESSAGE_BYTES: usize = 256 * 1024;

type Sender = mpsc::Sender<Result<v1::ExportUsersResponse, Status>>;

/// Every user, newest first.
pub(super) async fn export(
    call: Call,
) -> Result<Pin<Box<dyn Stream<Item = Result<v1::ExportUsersResponse, Status>> + Send>>, Status> {
    // The first page before the stream begins: what refuses the export is told at once.
    let first = page_after(&call.ctx, Start::Offset(0)).await.map_err(|error| call.refuse(error))?;
    let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
    // What goes wrong later is logged under the name of this call.
    tokio::spawn(send(call, first, sender).in_current_span());
    Ok(Box::pin(ReceiverStream::new(receiver)))
}

async fn send(call: Call, first: Listed<User>, sender: Sender) {
    let pages = send_pages(&call, first, &sender);
    let sent = match call.patience() {
        None => pages.await,
        Some(patience) => timeout(patience, pages).await.unwrap_or_else(|_| Err(Refusal::out_of_time())),
    };
    if let Err(refusal) = sent {
        let _ = sender.send(Err(call.refuse(refusal))).await;
    }
}

async fn send_pages(call: &Call, mut page: Listed<User>, sender: &Sender) -> Result<(), Refusal> {
    loop {
        let next = page.next;
        for message in messages(page.items) {
            // A reader who left closes the channel, and that ends the work.
            if sender.send(Ok(message)).await.is_err() {
                return Ok(());
            }
        }
        let Some(position) = next else { return Ok(()) };
        // A reader may take its time; who began to read may no longer be allowed to.
        let now = tokens::renew(&call.ctx).await;
        page = match async { page_after(&now?, Start::After(position)).await }.await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "export aborted");
                return Err(error.into());
            }
        };
    }
}

/// The users of a page, in messages of a size that every client takes.
fn messages(users: Vec<User>) -> Vec<v1::ExportUsersResponse> {
    let mut messages = Vec::new();
    let mut message = v1::ExportUsersResponse::default();
    let mut bytes = 0;
    for user in users {
        let user = convert::user(user);
        bytes += user.encoded_len();
        message.users.push(user);
        if bytes >= MESSAGE_BYTES {
            messages.push(std::mem::take(&mut message));
            bytes = 0;
        }
    }
    if !message.users.is_empty() {
        messages.push(message);
    }
    messages
}
