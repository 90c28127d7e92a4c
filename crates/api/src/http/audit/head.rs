//! `GET /api/v1/audit/head`.

use axum::Json;
use axum::extract::State;
use denizen_domain::audit::{self, Head};
use denizen_domain::time::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;

use crate::audit_heads::{HeadKeyBody, HeadSigner};
use crate::http::Shared;
use crate::http::answers::{Always, Permitted, SignedIn};
use crate::http::extract::Caller;
use crate::http::problem::Problem;

/// The signed head of the audit log: its last record at a point in time.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "position": 1200,
    "head": "1200:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "keyed_from": 1,
    "taken_at": "2026-11-22T17:30:18.000001Z",
    "signed": "eyJhbGciOiJFZERTQSIsInR5cCI6ImRlbml6ZW4tYXVkaXQtaGVhZCtqd3MifQ.eyJwb3NpdGlvbiI6MTIwMH0.c2lnbmF0dXJl",
    "public_key": {
        "kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
    }
}))]
pub(crate) struct HeadBody {
    /// Sequence number of the last record.
    position: i64,
    /// The last record, as `POSITION:HASH`.
    head: String,
    /// The first record whose hash must be keyed. Earlier records were written by releases without keyed hashes.
    keyed_from: i64,
    /// The time of signing.
    #[schema(value_type = String, format = DateTime)]
    taken_at: Timestamp,
    /// The signed head: a compact JWS (RFC 7515) with `EdDSA` (RFC 8037). Store it outside the database and verify
    /// against it with `denizen audit verify --known`.
    signed: String,
    /// The public key that verifies the signature (RFC 7517).
    public_key: HeadKeyBody,
}

impl HeadBody {
    /// Signs a head.
    pub(crate) fn new(signer: &HeadSigner, head: &Head) -> Self {
        Self {
            position: head.last.position,
            head: head.last.to_string(),
            keyed_from: head.keyed_from,
            taken_at: head.at,
            signed: signer.sign(head),
            public_key: signer.public_key(),
        }
    }
}

/// Get the signed head of the audit log.
///
/// Returns the sequence number and the hash of the last record, signed. Store heads in another system to prove later
/// that the log up to that record was neither truncated nor rewritten.
#[utoipa::path(
    get, path = "/api/v1/audit/head", tag = "audit", operation_id = "audit.head",
    responses((status = 200, description = "The signed head.", body = HeadBody), SignedIn, Permitted, Always),
    security(("bearer" = [])),
)]
pub(super) async fn head(State(shared): State<Shared>, Caller(ctx): Caller) -> Result<Json<HeadBody>, Problem> {
    let head = audit::head(&ctx).await?;
    let signer = HeadSigner::derive(shared.services.vault.as_ref());
    Ok(Json(HeadBody::new(&signer, &head)))
}
