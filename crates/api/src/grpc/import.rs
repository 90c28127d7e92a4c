//! `UserService.ImportUsers`: users in a stream, in constant memory. Whoever sends them waits while a batch is written:
//! nothing is read from the stream meanwhile, and its window fills.

use denizen_domain::access::Permission;
use denizen_domain::error::FieldError;
use denizen_domain::id::UserId;
use denizen_domain::users::{ImportIds, ImportMode, ImportOptions, ImportUser, NotCarried, OnConflict, Status};
use denizen_domain::{Services, value::Object};
use denizen_proto::v1;
use prost::Message;
use tokio::time::timeout;
use tonic::Streaming;

use super::call::Call;
use super::convert;
use super::status::Refusal;
use crate::http::problem::Problem;
use crate::import_line::{ImportLine, parse, read_form};
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
    let options = message.as_ref().map(read_options).transpose()?.unwrap_or_default();
    let dry_run = options.mode == ImportMode::DryRun;
    let report = v1::ImportUsersResponse { dry_run, ..v1::ImportUsersResponse::default() };
    let mut importer = Importer::new(call.ctx.clone(), options, report);
    let bytes_max = call.shared.limits.import_line_bytes as usize;
    while let Some(rows) = message {
        for row in rows.users {
            importer.report.rows += 1;
            let number = importer.report.rows.unsigned_abs();
            importer.take(number, read(row, bytes_max, &call.shared.services)).await?;
        }
        if importer.is_stopped() {
            break;
        }
        message = next(&mut stream).await?;
    }
    let mut report = importer.finish().await?;
    report.results.sort_by_key(|result| result.row);
    Ok(report)
}

fn read_options(first: &v1::ImportUsersRequest) -> Result<ImportOptions, Refusal> {
    let on_conflict = match v1::ImportConflict::try_from(first.on_conflict) {
        Ok(v1::ImportConflict::Unspecified | v1::ImportConflict::Refuse) => OnConflict::Refuse,
        Ok(v1::ImportConflict::Skip) => OnConflict::Skip,
        Ok(v1::ImportConflict::Update) => OnConflict::Update,
        Ok(v1::ImportConflict::Fail) => OnConflict::Fail,
        Err(_) => {
            let error = FieldError::new("on_conflict", "invalid_value", OnConflict::EXPECTED);
            return Err(Problem::from(error).into());
        }
    };
    Ok(ImportOptions {
        mode: if first.dry_run { ImportMode::DryRun } else { ImportMode::Commit },
        on_conflict,
        ids: if first.keep_ids { ImportIds::Keep } else { ImportIds::New },
    })
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
    let moment = |moment: Option<prost_types::Timestamp>, field| {
        let read = moment.as_ref().map(convert::read_moment).transpose().map_err(at(field))?;
        Ok::<_, Vec<FieldError>>(read.map(|moment| moment.to_string()))
    };
    let created_at = moment(row.created_at, "created_at")?;
    let updated_at = moment(row.updated_at, "updated_at")?;
    let last_sign_in_at = moment(row.last_sign_in_at, "last_sign_in_at")?;
    let delete_after = moment(row.delete_after, "delete_after")?;
    let credentials: Option<Object> =
        row.credentials.map(convert::read_object).transpose().map_err(at("credentials"))?;
    let credentials = credentials.as_ref().map(read_credentials).transpose()?.unwrap_or_default();
    let status = convert::read_status(row.status).map_err(at("status"))?;
    let line = ImportLine {
        id: row.id,
        updated_at,
        last_sign_in_at,
        delete_after,
        email: row.email,
        name: row.name,
        password_hash: row.password_hash.map(Into::into),
        email_verified: row.email_verified,
        role: row.role,
        status: status.map(Status::as_str).map(str::to_owned),
        locale: row.locale,
        attributes,
        app_attributes,
        created_at,
        ..credentials
    };
    parse(line, services)
}

/// The credentials of a row, in the fields of a line; the other fields are empty.
fn read_credentials(given: &Object) -> Result<ImportLine, Vec<FieldError>> {
    const KINDS: &[&str] = &["totp", "recovery_codes", "passkeys", "identities", "api_keys"];
    let unknown = given.keys().find(|kind| !KINDS.contains(&kind.as_str()));
    if let Some(unknown) = unknown {
        return Err(vec![FieldError::new(format!("credentials.{unknown}"), "unknown_field", "is not a known field")]);
    }
    let mut line = serde_json::to_value(given).unwrap_or_default();
    if let Some(fields) = line.as_object_mut() {
        fields.extend([("email".to_owned(), "".into()), ("name".to_owned(), "".into())]);
    }
    read_form(line.to_string().as_bytes())
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

    fn updated(&mut self, row: u64, user: UserId) {
        self.updated += 1;
        if self.updated.unsigned_abs() <= TOLD_MAX {
            let (row, user_id) = (row.cast_signed(), user.to_string());
            self.results.push(v1::ImportResult { row, user_id, faults: Vec::new() });
        }
    }

    fn skipped(&mut self, _: u64) {
        self.skipped += 1;
    }

    fn stopped(&mut self) {
        self.stopped = true;
    }

    fn not_carried(&mut self, counts: NotCarried) {
        for (kind, count) in counts.kinds().into_iter().filter(|(_, count)| *count > 0) {
            *self.not_carried.entry(kind.to_owned()).or_default() += count.cast_signed();
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
