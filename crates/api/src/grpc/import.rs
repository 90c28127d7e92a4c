//! `UserService.ImportUsers`: users in a stream, in constant memory. Whoever sends them waits while a batch is written:
//! nothing is read from the stream meanwhile, and its window fills.

use denizen_domain::access::Permission;
use denizen_domain::error::FieldError;
use denizen_domain::id::UserId;
use denizen_domain::users::{ImportMode, ImportUser, Status};
use denizen_domain::{Services, value::Object};
use denizen_proto::v1;
use prost::Message;
use tokio::time::timeout;
use tonic::Streaming;

use super::call::Call;
use super::convert;
use super::status::Refusal;
use crate::http::problem::Problem;
use crate::import_line::{ImportLine, parse};
use crate::importer::{ImportReport, Importer, SILENCE_MAX};

/// How many rows of either kind are told one by one; the rest is counted.
const TOLD_MAX: u64 = 1000;

/// Imports what the stream brings.
pub(super) async fn import(
    call: Call,
    mut stream: Streaming<v1::ImportUsersRequest>,
) -> Result<v1::ImportUsersResponse, Refusal> {
    call.ctx.require(Permission::UsersWrite)?;
    let mut message = next(&mut stream).await?;
    let dry_run = message.as_ref().is_some_and(|first| first.dry_run);
    let mode = if dry_run { ImportMode::DryRun } else { ImportMode::Commit };
    let report = v1::ImportUsersResponse { dry_run, ..v1::ImportUsersResponse::default() };
    let mut importer = Importer::new(call.ctx.clone(), mode, report);
    let bytes_max = call.shared.limits.import_line_bytes as usize;
    while let Some(rows) = message {
        for row in rows.users {
            importer.report.rows += 1;
            let number = importer.report.rows.unsigned_abs();
            importer.take(number, read(row, bytes_max, &call.shared.services)).await?;
        }
        message = next(&mut stream).await?;
    }
    let mut report = importer.finish().await?;
    report.results.sort_by_key(|result| result.row);
    Ok(report)
}

async fn next(stream: &mut Streaming<v1::ImportUsersRequest>) -> Result<Option<v1::ImportUsersRequest>, Refusal> {
    let silent = |_| Problem::broken_off("was silent for 30 seconds");
    let next = timeout(SILENCE_MAX, stream.message()).await.map_err(silent)?;
    next.map_err(|status| Refusal::of_library(&status).unwrap_or_else(|| Problem::broken_off("was incomplete").into()))
}

/// The user in a row, by the rules of every import.
fn read(row: v1::ImportUser, bytes_max: usize, services: &Services) -> Result<ImportUser, Vec<FieldError>> {
    if row.encoded_len() > bytes_max {
        return Err(vec![FieldError::new("row", "too_long", "must be within limits.import_line_bytes")]);
    }
    let at = |field: &'static str| move |rule: denizen_domain::error::RuleBroken| vec![rule.at(field)];
    let attributes: Option<Object> = row.attributes.map(convert::read_object).transpose().map_err(at("attributes"))?;
    let app_attributes: Option<Object> =
        row.app_attributes.map(convert::read_object).transpose().map_err(at("app_attributes"))?;
    let created_at = row.created_at.as_ref().map(convert::read_moment).transpose().map_err(at("created_at"))?;
    let status = convert::read_status(row.status).map_err(at("status"))?;
    let line = ImportLine {
        email: row.email,
        name: row.name,
        password_hash: row.password_hash.map(Into::into),
        email_verified: Some(row.email_verified),
        role: row.role,
        status: status.map(Status::as_str).map(str::to_owned),
        locale: row.locale,
        attributes,
        app_attributes,
        created_at: created_at.map(|moment| moment.to_string()),
    };
    parse(line, services)
}

impl ImportReport for v1::ImportUsersResponse {
    fn created(&mut self, row: u64, user: UserId) {
        self.created += 1;
        if self.created.unsigned_abs() <= TOLD_MAX {
            self.results.push(v1::ImportResult {
                row: row.cast_signed(),
                user_id: user.to_string(),
                faults: Vec::new(),
            });
        }
    }

    fn refused(&mut self, row: u64, fields: Vec<FieldError>) {
        self.failed += 1;
        if self.failed.unsigned_abs() <= TOLD_MAX {
            let fault =
                |at: FieldError| v1::FieldFault { field: at.field, code: at.code.to_owned(), message: at.message };
            let faults = fields.into_iter().map(fault).collect();
            self.results.push(v1::ImportResult { row: row.cast_signed(), user_id: String::new(), faults });
        }
    }
}
