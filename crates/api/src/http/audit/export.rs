//! `GET /api/v1/audit/export`: the records in constant memory, page by page.

use std::io;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use denizen_domain::audit::{self, AuditFilter, RawFilter};
use denizen_domain::error::FieldError;
use denizen_domain::events::{Event, EventPage};
use denizen_domain::page::PAGE_MAX;
use denizen_domain::ports::Vault;
use denizen_domain::{Ctx, tokens};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::IntoParams;

use super::body::RecordBody;
use super::csv;
use crate::http::answers::{Always, BadInput, Permitted, SignedIn};
use crate::http::extract::{Caller, Query};
use crate::http::problem::{Chain, Problem};

/// How many pages of an export wait for a slow reader.
const PAGES_AHEAD: usize = 2;

/// Which records, and in which form.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct ExportParams {
    /// `ndjson`: one record per line, in the format of `GET /api/v1/audit`; or `csv`.
    #[param(pattern = "^(ndjson|csv)$", default = "ndjson")]
    format: Option<String>,
    /// Returns only records of this actor: the id of a user or service account.
    #[param(value_type = Option<String>, format = Uuid)]
    actor: Option<String>,
    /// Returns only records about this resource: the id of a user, service account, role or signing key.
    subject: Option<String>,
    /// Comma-separated event types. A trailing `*` matches a prefix: `session.*`.
    #[param(example = "user.created,session.*")]
    types: Option<String>,
    /// Lower bound of the time range, inclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<String>,
    /// Upper bound of the time range, exclusive.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<String>,
}

/// The form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A JSON object a line.
    Ndjson,
    /// RFC 4180, safe for spreadsheets.
    Csv,
}

impl Format {
    fn parse(raw: &str) -> Result<Self, FieldError> {
        match raw {
            "ndjson" => Ok(Self::Ndjson),
            "csv" => Ok(Self::Csv),
            _ => Err(FieldError::new("format", "invalid_value", "must be ndjson or csv")),
        }
    }

    /// The media type, and what a browser calls the file.
    const fn headers(self) -> [(http::HeaderName, &'static str); 2] {
        match self {
            Self::Ndjson => {
                [(CONTENT_TYPE, "application/x-ndjson"), (CONTENT_DISPOSITION, "attachment; filename=\"audit.ndjson\"")]
            }
            Self::Csv => [
                (CONTENT_TYPE, "text/csv; charset=utf-8; header=present"),
                (CONTENT_DISPOSITION, "attachment; filename=\"audit.csv\""),
            ],
        }
    }

    /// What stands before the first record.
    pub(crate) const fn head(self) -> &'static str {
        match self {
            Self::Ndjson => "",
            Self::Csv => csv::HEAD,
        }
    }

    /// A record, a line.
    pub(crate) fn line(self, vault: &dyn Vault, event: Event) -> String {
        let record = RecordBody::new(vault, event);
        match self {
            Self::Ndjson => serde_json::to_string(&record).expect("a record serialises") + "\n",
            Self::Csv => csv::line(&record),
        }
    }
}

/// Export audit records.
///
/// Returns all records that match the filters, oldest first. In CSV, cells that a spreadsheet would interpret as a
/// formula are prefixed with an apostrophe.
#[utoipa::path(
    get, path = "/api/v1/audit/export", tag = "audit", operation_id = "audit.export",
    params(ExportParams),
    responses(
        (status = 200, description = "One record per line.", content(
            (String = "application/x-ndjson"),
            (String = "text/csv"),
        )),
        BadInput, SignedIn, Permitted, Always,
    ),
    security(("bearer" = [])),
)]
pub(super) async fn export(Caller(ctx): Caller, Query(params): Query<ExportParams>) -> Result<Response, Problem> {
    let filter = AuditFilter::parse(RawFilter {
        actor: params.actor.as_deref(),
        subject: params.subject.as_deref(),
        types: params.types.as_deref(),
        from: params.from.as_deref(),
        until: params.until.as_deref(),
    })?;
    let format = params.format.as_deref().map_or(Ok(Format::Ndjson), Format::parse)?;
    // The first page before the answer begins: what refuses the export still has a status to say so.
    let first = page_after(&ctx, &filter, None).await?;
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(send_pages(ctx, filter, format, first, sender));
    Ok((format.headers(), Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

async fn send_pages(
    ctx: Ctx,
    filter: AuditFilter,
    format: Format,
    mut page: EventPage,
    sender: mpsc::Sender<Result<Bytes, io::Error>>,
) {
    let mut head = format.head();
    loop {
        let vault = ctx.services().vault.as_ref();
        let lines = page.events.into_iter().map(|event| format.line(vault, event));
        let text = lines.fold(std::mem::take(&mut head).to_owned(), |text, line| text + &line);
        // A reader who left closes the channel, and that ends the work.
        if (!text.is_empty() && sender.send(Ok(text.into())).await.is_err()) || sender.is_closed() {
            return;
        }
        if !page.has_more {
            return;
        }
        // A reader may take its time; who began to read may no longer be allowed to.
        let now = tokens::renew(&ctx).await;
        page = match async { page_after(&now?, &filter, Some(page.read_to)).await }.await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "export aborted");
                // Breaks the connection: a cut export must not look like a whole one.
                let _ = sender.send(Err(io::Error::other("the export was aborted"))).await;
                return;
            }
        };
    }
}

/// A page of an export.
pub(crate) async fn page_after(
    ctx: &Ctx,
    filter: &AuditFilter,
    after: Option<i64>,
) -> denizen_domain::Result<EventPage> {
    audit::list(ctx, filter, after, Some(PAGE_MAX)).await
}
