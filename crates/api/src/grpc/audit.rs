//! `denizen.v1.AuditService`.

use std::pin::Pin;

use denizen_domain::audit::{self, AuditFilter, RawFilter};
use denizen_domain::error::FieldError;
use denizen_domain::events::{Event, EventPage};
use denizen_domain::page::PAGE_MAX;
use denizen_domain::ports::Vault;
use denizen_domain::tokens;
use denizen_proto::v1;
use denizen_proto::v1::audit_service_server::AuditService;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::Stream;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Request, Response, Status, async_trait};
use tracing::Instrument;

use super::call::{Call, by_caller, identify};
use super::convert::{moment, object, read_moment, said};
use super::status::Refusal;
use crate::audit_heads::HeadSigner;
use crate::http::Shared;
use crate::http::audit::export::page_after;
use crate::http::events::body::{cursor, position};
use crate::http::problem::Chain;

/// How many messages wait for a slow reader.
const MESSAGES_AHEAD: usize = 2;

/// The service.
pub(super) struct Audit(pub(super) Shared);

type Sender = mpsc::Sender<Result<v1::ExportRecordsResponse, Status>>;

#[async_trait]
impl AuditService for Audit {
    type ExportRecordsStream = Pin<Box<dyn Stream<Item = Result<v1::ExportRecordsResponse, Status>> + Send>>;

    async fn list_records(
        &self,
        request: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<v1::ListRecordsResponse>, Status> {
        by_caller(&self.0, request, list).await
    }

    async fn export_records(
        &self,
        request: Request<v1::ExportRecordsRequest>,
    ) -> Result<Response<Self::ExportRecordsStream>, Status> {
        let (call, request) = identify(&self.0, request).await?;
        let filter = read_filter(request.filter).map_err(|faults| call.refuse(faults))?;
        // The first page before the stream begins: what refuses the export is told at once.
        let first = page_after(&call.ctx, &filter, None).await.map_err(|error| call.refuse(error))?;
        let (sender, receiver) = mpsc::channel(MESSAGES_AHEAD);
        // What goes wrong later is logged under the name of this call.
        tokio::spawn(send(call, filter, first, sender).in_current_span());
        Ok(Response::new(Box::pin(ReceiverStream::new(receiver))))
    }

    async fn verify_log(
        &self,
        request: Request<v1::VerifyLogRequest>,
    ) -> Result<Response<v1::VerifyLogResponse>, Status> {
        by_caller(&self.0, request, verify).await
    }

    async fn get_head(&self, request: Request<v1::GetHeadRequest>) -> Result<Response<v1::GetHeadResponse>, Status> {
        by_caller(&self.0, request, head).await
    }
}

async fn list(call: Call, request: v1::ListRecordsRequest) -> Result<v1::ListRecordsResponse, Refusal> {
    let vault = call.shared.services.vault.as_ref();
    let filter = read_filter(request.filter)?;
    let size = u32::try_from(request.page_size)
        .map_err(|_| FieldError::new("page_size", "out_of_range", "must not be negative"))?;
    // More than there can be is as much as there can be (AIP-158).
    let limit = Some(size.min(PAGE_MAX)).filter(|size| *size > 0);
    let after = said(&request.page_token).map(|token| position(vault, "page_token", token)).transpose()?;
    let page = audit::list(&call.ctx, &filter, after, limit).await?;
    let next_page_token = if page.has_more { cursor(vault, page.read_to) } else { String::new() };
    let records = page.events.into_iter().map(|event| record(vault, event)).collect();
    Ok(v1::ListRecordsResponse { records, next_page_token })
}

async fn verify(call: Call, request: v1::VerifyLogRequest) -> Result<v1::VerifyLogResponse, Refusal> {
    let signer = HeadSigner::derive(call.shared.services.vault.as_ref());
    let known: Result<Vec<_>, _> = request.known.iter().map(|raw| signer.read("known", raw)).collect();
    let report = audit::verify(&call.ctx, known?, &mut |_, _| {}).await?;
    let fault = report.fault.map(|fault| v1::LogFault {
        position: fault.position(),
        code: fault.code().to_owned(),
        message: fault.to_string(),
    });
    Ok(v1::VerifyLogResponse {
        is_whole: fault.is_none(),
        floor: report.floor,
        head: report.head.to_string(),
        checked: i64::try_from(report.checked).unwrap_or(i64::MAX),
        forgotten: report.forgotten.iter().map(ToString::to_string).collect(),
        fault,
        keyed_from: report.keyed_from,
        unkeyed: i64::try_from(report.unkeyed).unwrap_or(i64::MAX),
    })
}

async fn head(call: Call, _: v1::GetHeadRequest) -> Result<v1::GetHeadResponse, Refusal> {
    let head = audit::head(&call.ctx).await?;
    let signer = HeadSigner::derive(call.shared.services.vault.as_ref());
    let key = signer.public_key();
    Ok(v1::GetHeadResponse {
        position: head.last.position,
        head: head.last.to_string(),
        keyed_from: head.keyed_from,
        taken_at: Some(moment(head.at)),
        signed: signer.sign(&head),
        public_key: Some(v1::HeadKey {
            kty: key.kty.to_owned(),
            crv: key.crv.to_owned(),
            alg: key.alg.to_owned(),
            r#use: key.purpose.to_owned(),
            x: key.x,
        }),
    })
}

async fn send(call: Call, filter: AuditFilter, first: EventPage, sender: Sender) {
    let pages = send_pages(&call, &filter, first, &sender);
    let sent = match call.patience() {
        None => pages.await,
        Some(patience) => timeout(patience, pages).await.unwrap_or_else(|_| Err(Refusal::out_of_time())),
    };
    if let Err(refusal) = sent {
        let _ = sender.send(Err(call.refuse(refusal))).await;
    }
}

async fn send_pages(call: &Call, filter: &AuditFilter, mut page: EventPage, sender: &Sender) -> Result<(), Refusal> {
    let vault = call.shared.services.vault.as_ref();
    loop {
        let records: Vec<_> = page.events.into_iter().map(|event| record(vault, event)).collect();
        let is_said = !records.is_empty();
        // A reader who left closes the channel, and that ends the work.
        if (is_said && sender.send(Ok(v1::ExportRecordsResponse { records })).await.is_err()) || sender.is_closed() {
            return Ok(());
        }
        if !page.has_more {
            return Ok(());
        }
        // A reader may take its time; who began to read may no longer be allowed to.
        let now = tokens::renew(&call.ctx).await;
        page = match async { page_after(&now?, filter, Some(page.read_to)).await }.await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "export aborted");
                return Err(error.into());
            }
        };
    }
}

fn read_filter(filter: Option<v1::AuditFilter>) -> Result<AuditFilter, Vec<FieldError>> {
    let filter = filter.unwrap_or_default();
    let types = (!filter.types.is_empty()).then(|| filter.types.join(","));
    let raw = RawFilter {
        actor: filter.actor.as_deref(),
        subject: filter.subject.as_deref(),
        types: types.as_deref(),
        from: None,
        until: None,
    };
    let parsed = AuditFilter::parse(raw);
    let from = filter.from.map(|at| read_moment(&at).map_err(|rule| rule.at("from"))).transpose();
    let until = filter.until.map(|at| read_moment(&at).map_err(|rule| rule.at("until"))).transpose();
    let whole = match (parsed, from, until) {
        (Ok(parsed), Ok(from), Ok(until)) => AuditFilter { from, until, ..parsed }.checked().map_err(|at| vec![at]),
        (parsed, from, until) => {
            let others = [from.err(), until.err()].into_iter().flatten();
            Err(parsed.err().unwrap_or_default().into_iter().chain(others).collect())
        }
    };
    let within = |at: FieldError| FieldError { field: format!("filter.{}", at.field), ..at };
    whole.map_err(|faults| faults.into_iter().map(within).collect())
}

fn record(vault: &dyn Vault, event: Event) -> v1::AuditRecord {
    let (credential_type, credential_id) =
        event.actor.credential.map(|(kind, id)| (kind.as_str().to_owned(), id.to_string())).unwrap_or_default();
    v1::AuditRecord {
        position: event.position,
        cursor: cursor(vault, event.position),
        id: event.id.to_string(),
        r#type: event.kind,
        subject: event.about.as_str().map(str::to_owned),
        actor: Some(v1::AuditActor {
            r#type: event.actor.kind.as_str().to_owned(),
            id: event.actor.id.map(|id| id.to_string()).unwrap_or_default(),
            credential_type,
            credential_id,
        }),
        address: event.address.map(|address| address.to_string()),
        user_agent: event.user_agent,
        occurred_at: Some(moment(event.occurred_at)),
        data: Some(object(event.data)),
        hash: event.hash.to_vec(),
        pseudonymized: event.erased.is_any(),
    }
}
