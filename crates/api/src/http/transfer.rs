//! `/api/v1/users/import` and `/api/v1/users/export`: users as newline-delimited JSON, in constant memory.

use std::io;

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use denizen_domain::access::Permission;
use denizen_domain::error::FieldError;
use denizen_domain::id::UserId;
use denizen_domain::page::{Listed, PAGE_MAX, Page, Start, Total};
use denizen_domain::tokens;
use denizen_domain::users::{
    self, ImportIds, ImportMode, ImportOptions, ImportUser, NotCarried, OnConflict, User, UserFilter,
};
use denizen_domain::{Ctx, Services};
use http::StatusCode;
use http::header::CONTENT_TYPE;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::io::StreamReader;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadBody, Permitted, SignedIn};
use super::body::UserBody;
use super::extract::{Caller, Query};
use super::problem::{Chain, Problem};
use crate::export_line::HeaderLine;
use crate::import_line::parse_line;
use crate::importer::{ImportReport, Importer, SILENCE_MAX};
use crate::lines::{Line, Lines};

const NDJSON: &str = "application/x-ndjson";
/// How many refused lines are told one by one; the rest is counted.
const ERRORS_MAX: usize = 1000;
/// How many pages of an export wait for a slow reader.
const PAGES_AHEAD: usize = 2;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(import)).routes(routes!(export))
}

/// How to import.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ImportParams {
    /// `true` validates the import without saving anything.
    #[param(value_type = Option<bool>)]
    dry_run: Option<String>,
    /// What happens to a line whose id, address or identity is that of an existing user: `refuse` reports the line as an
    /// error, `skip` does not change the user, `update` replaces the profile and the given credentials, `fail` stops the
    /// import. Default: `refuse`.
    #[param(pattern = "^(refuse|skip|update|fail)$")]
    on_conflict: Option<String>,
    /// `true` keeps the ids of the lines. By default, every user gets a new id.
    #[param(value_type = Option<bool>)]
    keep_ids: Option<String>,
}

impl ImportParams {
    fn read(&self) -> Result<ImportOptions, Problem> {
        let is_dry_run = flag("dry_run", self.dry_run.as_deref())?;
        let keeps_ids = flag("keep_ids", self.keep_ids.as_deref())?;
        let on_conflict = self.on_conflict.as_deref().map_or(Some(OnConflict::default()), OnConflict::parse);
        let broken = || FieldError::new("on_conflict", "invalid_value", OnConflict::EXPECTED);
        Ok(ImportOptions {
            mode: if is_dry_run { ImportMode::DryRun } else { ImportMode::Commit },
            on_conflict: on_conflict.ok_or_else(broken)?,
            ids: if keeps_ids { ImportIds::Keep } else { ImportIds::New },
        })
    }
}

fn flag(name: &'static str, value: Option<&str>) -> Result<bool, Problem> {
    match value {
        None | Some("false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(FieldError::new(name, "invalid_value", "must be true or false").into()),
    }
}

/// The result of an import.
#[derive(Default, Serialize, ToSchema)]
struct ImportedBody {
    /// The number of lines that were read, excluding blank lines.
    #[schema(example = 3)]
    lines: u64,
    /// The number of users that were created, or would be created with `dry_run`.
    #[schema(example = 2)]
    created: u64,
    /// The number of existing users that were changed, or would be with `dry_run`.
    // Not required, like the other new fields: a client of this release reads responses of the release before.
    #[schema(example = 0, required = false)]
    updated: u64,
    /// The number of lines whose existing user is unchanged.
    #[schema(example = 0, required = false)]
    skipped: u64,
    /// The number of rejected lines.
    #[schema(example = 1)]
    failed: u64,
    /// Whether the import stopped at a line whose user exists (`on_conflict=fail`).
    #[schema(required = false)]
    stopped: bool,
    /// The credentials that were not imported.
    #[schema(required = false)]
    not_carried: NotCarriedBody,
    /// Whether the import was only validated.
    dry_run: bool,
    /// The first 1,000 rejected lines.
    errors: Vec<LineError>,
}

/// How many credentials were not imported, by their kind.
#[derive(Default, Serialize, ToSchema)]
pub(crate) struct NotCarriedBody {
    /// Recovery codes of a server with another root key, or of a user with another id.
    recovery_codes: u64,
    /// Passkeys that are already registered.
    passkeys: u64,
    /// Identities without a provider.
    identities: u64,
    /// API keys of a server with another root key, or that already exist.
    api_keys: u64,
}

impl From<NotCarried> for NotCarriedBody {
    fn from(counts: NotCarried) -> Self {
        let NotCarried { recovery_codes, passkeys, identities, api_keys } = counts;
        Self { recovery_codes, passkeys, identities, api_keys }
    }
}

/// A rejected line.
#[derive(Serialize, ToSchema)]
struct LineError {
    /// The line number, starting at 1.
    #[schema(example = 2)]
    line: u64,
    /// The invalid fields.
    fields: Vec<LineFieldError>,
}

/// An invalid field.
#[derive(Serialize, ToSchema)]
struct LineFieldError {
    #[schema(example = "email")]
    field: String,
    #[schema(example = "taken")]
    code: &'static str,
    #[schema(example = "must not be another user's address")]
    message: String,
}

/// Import users.
///
/// The body is newline-delimited JSON with one user per line: `email`, `name` and optionally `password_hash` (Argon2 in
/// PHC format, or a format of other systems), `email_verified`, `role`, `status`, `locale`, `attributes`,
/// `app_attributes`, `created_at`, and the other fields of an export, including credentials. A rejected line is reported
/// and does not stop the import. Users are saved in batches while the upload proceeds.
#[utoipa::path(
    post, path = "/api/v1/users/import", tag = "users", operation_id = "users.import",
    params(ImportParams),
    request_body(content = String, content_type = "application/x-ndjson", description = "One user per line.",
        example = "{\"email\":\"ada@example.com\",\"name\":\"Ada Lovelace\",\"email_verified\":true}\n"),
    responses((status = 200, description = "The result.", body = ImportedBody), BadBody, SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
async fn import(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    Query(params): Query<ImportParams>,
    request: Request,
) -> Result<Json<ImportedBody>, Problem> {
    ctx.require(Permission::UsersWrite)?;
    let options = params.read()?;
    check_media_type(&request)?;

    let report = ImportedBody { dry_run: options.mode == ImportMode::DryRun, ..ImportedBody::default() };
    let mut importer = Importer::new(ctx, options, report);
    let body = StreamReader::new(request.into_body().into_data_stream().map(|chunk| chunk.map_err(io::Error::other)));
    let mut lines = Lines::new(body, shared.limits.import_line_bytes as usize);
    while !importer.is_stopped() {
        let line =
            timeout(SILENCE_MAX, lines.next()).await.map_err(|_| Problem::broken_off("was silent for 30 seconds"))?;
        match line.map_err(|_| Problem::broken_off("was incomplete or could not be read"))? {
            Some((number, line)) => {
                if let Some(user) = read_line(line, &shared.services) {
                    importer.report.lines += 1;
                    importer.take(number, user).await?;
                }
            }
            None => break,
        }
    }
    let mut report = importer.finish().await?;
    report.errors.sort_by_key(|error| error.line);
    Ok(Json(report))
}

impl ImportReport for ImportedBody {
    fn created(&mut self, _: u64, _: UserId) {
        self.created += 1;
    }

    fn updated(&mut self, _: u64, _: UserId) {
        self.updated += 1;
    }

    fn skipped(&mut self, _: u64) {
        self.skipped += 1;
    }

    fn stopped(&mut self) {
        self.stopped = true;
    }

    fn not_carried(&mut self, counts: NotCarried) {
        self.not_carried.recovery_codes += counts.recovery_codes;
        self.not_carried.passkeys += counts.passkeys;
        self.not_carried.identities += counts.identities;
        self.not_carried.api_keys += counts.api_keys;
    }

    fn refused(&mut self, line: u64, fields: Vec<FieldError>) {
        self.failed += 1;
        if self.errors.len() < ERRORS_MAX {
            let fields = fields
                .into_iter()
                .map(|at| LineFieldError { field: at.field, code: at.code, message: at.message })
                .collect();
            self.errors.push(LineError { line, fields });
        }
    }
}

/// The user in a line; `None` when it is blank, or the header of an export.
fn read_line(line: Line, services: &Services) -> Option<Result<ImportUser, Vec<FieldError>>> {
    match line {
        Line::Whole(content) if content.trim_ascii().is_empty() || HeaderLine::is_header(&content) => None,
        Line::Whole(content) => Some(parse_line(&content, services)),
        Line::TooLong => {
            Some(Err(vec![FieldError::new("line", "too_long", "must be within limits.import_line_bytes")]))
        }
    }
}

fn check_media_type(request: &Request) -> Result<(), Problem> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_encoded = request.headers().contains_key(http::header::CONTENT_ENCODING);
    if !is_encoded && [NDJSON, "application/ndjson", "application/jsonl"].contains(&essence.as_str()) {
        return Ok(());
    }
    let message = "Send newline-delimited JSON as application/x-ndjson, without a content encoding.";
    Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", message))
}

/// Export users.
///
/// Returns all users as newline-delimited JSON, newest first, without credentials.
#[utoipa::path(
    get, path = "/api/v1/users/export", tag = "users", operation_id = "users.export",
    responses(
        (status = 200, description = "One user per line.", content_type = "application/x-ndjson", body = String,
            example = "{\"id\":\"019365a8-6a5c-7f3e-9d0c-7b1f0a1c2d3e\",\"email\":\"ada@example.com\"}\n"),
        SignedIn, Permitted, Always,
    ),
    security(("bearer" = [])),
)]
async fn export(Caller(ctx): Caller) -> Result<Response, Problem> {
    // The first page before the answer begins: what refuses the export still has a status to say so.
    let first = page_after(&ctx, Start::Offset(0)).await?;
    let (sender, receiver) = mpsc::channel(PAGES_AHEAD);
    tokio::spawn(send_pages(ctx, first, sender));
    Ok(([(CONTENT_TYPE, NDJSON)], Body::from_stream(ReceiverStream::new(receiver))).into_response())
}

async fn send_pages(ctx: Ctx, mut page: Listed<User>, sender: mpsc::Sender<Result<Bytes, io::Error>>) {
    loop {
        let next = page.next;
        // A reader who left closes the channel, and that ends the work.
        if sender.send(Ok(lines_of(page.items))).await.is_err() {
            return;
        }
        let Some(position) = next else { return };
        // A reader may take its time; who began to read may no longer be allowed to.
        let now = tokens::renew(&ctx).await;
        page = match async { page_after(&now?, Start::After(position)).await }.await {
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

pub(crate) async fn page_after(ctx: &Ctx, start: Start) -> denizen_domain::Result<Listed<User>> {
    users::list(ctx, &UserFilter::default(), Page { limit: PAGE_MAX, start }, Total::Skip).await
}

fn lines_of(users: Vec<User>) -> Bytes {
    let mut lines = Vec::new();
    for user in users {
        serde_json::to_writer(&mut lines, &UserBody::from(user)).expect("a user serialises");
        lines.push(b'\n');
    }
    Bytes::from(lines)
}
