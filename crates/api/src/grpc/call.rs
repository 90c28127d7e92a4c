//! How a method comes to know who asks. There is no other way to a [`Ctx`] than through here.

use std::sync::Arc;
use std::time::Duration;

use denizen_domain::Ctx;
use tonic::{Request, Response, Status};

use super::status::Refusal;
use crate::http::Shared;
use crate::middleware::{Head, Presented, RequestId};

/// Below this, compressing an answer costs more than it saves.
const COMPRESS_ABOVE_BYTES: usize = 1024;

/// One call: who asks, and what a method may touch besides.
pub(super) struct Call {
    /// Who asks.
    pub(super) ctx: Ctx,
    /// What methods share.
    pub(super) shared: Shared,
    head: Head,
}

impl Call {
    /// What the head of the call presents.
    pub(super) fn presented(&self) -> &Presented {
        &self.head.presented
    }

    /// How long the caller still waits, when they say so.
    pub(super) fn patience(&self) -> Option<Duration> {
        self.head.patience
    }

    /// The name of this call.
    pub(super) fn request_id(&self) -> &RequestId {
        &self.head.request_id
    }

    /// An error, in the name of this call.
    pub(super) fn refuse(&self, refusal: impl Into<Refusal>) -> Status {
        refusal.into().into_status(self.head.request_id.as_str())
    }
}

/// A unary method that asks who calls: after the message was heard to its end, so that whoever may no longer do what
/// they took their time to say is refused.
pub(super) async fn by_caller<Q, A, W>(
    shared: &Shared,
    request: Request<Q>,
    method: impl FnOnce(Call, Q) -> W,
) -> Result<Response<A>, Status>
where
    A: prost::Message,
    W: Future<Output = Result<A, Refusal>>,
{
    let (call, message) = identify(shared, request).await?;
    answer(call, message, method).await
}

/// A unary method that is open to everybody and looks at no credentials: a stale token that is sent along does not
/// matter.
pub(super) async fn by_anybody<Q, A, W>(
    shared: &Shared,
    request: Request<Q>,
    method: impl FnOnce(Call, Q) -> W,
) -> Result<Response<A>, Status>
where
    A: prost::Message,
    W: Future<Output = Result<A, Refusal>>,
{
    let (head, message) = head_of(request)?;
    let ctx = head.presented.anybody(shared);
    answer(Call { ctx, shared: Arc::clone(shared), head }, message, method).await
}

/// Who calls, and what they send.
pub(super) async fn identify<Q>(shared: &Shared, request: Request<Q>) -> Result<(Call, Q), Status> {
    let (head, message) = head_of(request)?;
    match head.presented.caller(shared).await {
        Ok(ctx) => {
            if let Some(exchange) = head.exchange.upgrade() {
                exchange.identify(ctx.actor());
            }
            Ok((Call { ctx, shared: Arc::clone(shared), head }, message))
        }
        Err(error) => Err(Refusal::from(error).into_status(head.request_id.as_str())),
    }
}

async fn answer<Q, A, W>(call: Call, message: Q, method: impl FnOnce(Call, Q) -> W) -> Result<Response<A>, Status>
where
    A: prost::Message,
    W: Future<Output = Result<A, Refusal>>,
{
    let request_id = call.head.request_id.clone();
    let answered = method(call, message).await;
    let answer = answered.map_err(|refusal| refusal.into_status(request_id.as_str()))?;
    let is_small = answer.encoded_len() < COMPRESS_ABOVE_BYTES;
    let mut response = Response::new(answer);
    if is_small {
        response.disable_compression();
    }
    Ok(response)
}

fn head_of<Q>(request: Request<Q>) -> Result<(Head, Q), Status> {
    let (_, mut extensions, message) = request.into_parts();
    // Absent only if a service is mounted outside the middleware, which is a defect.
    let head = extensions.remove::<Head>().ok_or_else(|| Status::internal("the call has no head"))?;
    Ok((head, message))
}
