//! `grpc.health.v1`: the readiness that `/health/ready` tells, for the server as a whole and for each service.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health as HealthService;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use super::SERVICES;
use super::status::Refusal;
use crate::http::Shared;
use crate::http::health::Readiness;
use crate::middleware::Head;

/// How often readiness is looked at for those who watch. That the server begins to stop is told at once.
const WATCH_EVERY: Duration = Duration::from_secs(5);

/// The service.
pub(super) struct Health(pub(super) Shared);

#[async_trait]
impl HealthService for Health {
    async fn check(&self, request: Request<HealthCheckRequest>) -> Result<Response<HealthCheckResponse>, Status> {
        if !is_known(&request.get_ref().service) {
            return Err(Status::not_found("unknown service"));
        }
        Ok(Response::new(told(status(&self.0).await)))
    }

    type WatchStream = Pin<Box<dyn Stream<Item = Result<HealthCheckResponse, Status>> + Send>>;

    async fn watch(&self, request: Request<HealthCheckRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let request_id = request.extensions().get::<Head>().map(|head| head.request_id.as_str().to_owned());
        let (sender, receiver) = mpsc::channel(1);
        let is_known = is_known(&request.get_ref().service);
        let shared = Arc::clone(&self.0);
        tokio::spawn(async move {
            if is_known {
                watch(&shared, &sender).await;
            } else {
                // It might come; the protocol wants the stream to stay.
                let _ = sender.send(Ok(told(ServingStatus::ServiceUnknown))).await;
                tokio::select! {
                    () = sender.closed() => {}
                    () = shared.draining.cancelled() => {}
                }
            }
            // A stream that stays would keep the server from stopping.
            let _ = sender.send(Err(Refusal::stopping().into_status(&request_id.unwrap_or_default()))).await;
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }
}

/// Tells the status, and each change of it, until the server stops or nobody listens.
async fn watch(shared: &Shared, sender: &mpsc::Sender<Result<HealthCheckResponse, Status>>) {
    let mut before = None;
    loop {
        let is_stopping = shared.draining.is_cancelled();
        let now = status(shared).await;
        if before != Some(now) && sender.send(Ok(told(now))).await.is_err() {
            return;
        }
        before = Some(now);
        if is_stopping {
            return;
        }
        tokio::select! {
            () = sender.closed() => return,
            () = shared.draining.cancelled() => {}
            () = sleep(WATCH_EVERY) => {}
        }
    }
}

fn is_known(service: &str) -> bool {
    service.is_empty() || SERVICES.contains(&service)
}

async fn status(shared: &Shared) -> ServingStatus {
    if Readiness::of(shared).await.is_ready() { ServingStatus::Serving } else { ServingStatus::NotServing }
}

fn told(status: ServingStatus) -> HealthCheckResponse {
    HealthCheckResponse { status: status.into() }
}
