//! `GET /api/v1/api-keys`.

use axum::extract::State;
use axum::response::Response;
use denizen_domain::Ctx;
use denizen_domain::access::Subject;
use denizen_domain::api_keys::{self, KeyFilter};
use denizen_domain::error::FieldError;
use denizen_domain::id::{ServiceAccountId, UserId};
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadInput, Permitted, SignedIn, UserExists};
use super::api_keys::ApiKeyBody;
use super::extract::{Caller, ListQuery};
use super::page::{self, List, PageParams};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which keys to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FilterParams {
    /// Returns only keys of this user.
    #[param(format = Uuid)]
    user_id: Option<String>,
    /// Returns only keys of this service account.
    #[param(format = Uuid)]
    service_account_id: Option<String>,
    /// `true` returns the keys of all owners.
    #[param(value_type = Option<bool>)]
    all: Option<String>,
}

impl FilterParams {
    /// Whose keys are meant: the caller's, when nobody is named.
    fn filter(&self, ctx: &Ctx) -> Result<KeyFilter, Problem> {
        let invalid_id = |field| FieldError::new(field, "invalid_id", "must be a UUID");
        let excluded = |field| FieldError::new(field, "not_allowed", "cannot be combined with another owner filter");
        let is_all = match self.all.as_deref() {
            None | Some("false") => false,
            Some("true") => true,
            Some(_) => return Err(FieldError::new("all", "invalid_value", "must be true or false").into()),
        };
        match (&self.user_id, &self.service_account_id) {
            (Some(_), Some(_)) => Err(excluded("service_account_id").into()),
            (Some(_), None) | (None, Some(_)) if is_all => Err(excluded("all").into()),
            (Some(raw), None) => {
                let id = UserId::parse(raw).ok_or_else(|| invalid_id("user_id"))?;
                Ok(KeyFilter::Owner(Subject::User(id)))
            }
            (None, Some(raw)) => {
                let id = ServiceAccountId::parse(raw).ok_or_else(|| invalid_id("service_account_id"))?;
                Ok(KeyFilter::Owner(Subject::ServiceAccount(id)))
            }
            (None, None) if is_all => Ok(KeyFilter::All),
            (None, None) => Ok(KeyFilter::Owner(ctx.principal()?.subject)),
        }
    }
}

/// List API keys, newest first.
///
/// Returns the caller's own keys by default. Listing the keys of another user requires `api_keys:read`, those of a
/// service account `service_accounts:read`, and those of all owners both.
#[utoipa::path(
    get, path = "/api/v1/api-keys", tag = "api-keys", operation_id = "api_keys.list",
    params(PageParams, FilterParams),
    responses(
        (status = 200, description = "A page of keys.", body = [ApiKeyBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "The total number of items, up to 10,000, with `count=true`."),
            ("X-Total-Count-Limited" = bool, description = "`true` if there are more items; absent otherwise."),
        )),
        BadInput, SignedIn, Permitted, UserExists, Always,
    ),
    security(("bearer" = [])),
)]
async fn list(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    uri: Uri,
    ListQuery { page, filter: params }: ListQuery<FilterParams>,
) -> Result<Response, Problem> {
    let vault = shared.services.vault.as_ref();
    let (page, total) = page.read(vault, List::ApiKeys)?;
    let filter = params.filter(&ctx)?;
    let listed = api_keys::list(&ctx, filter, page, total).await?;
    Ok(page::respond(vault, List::ApiKeys, &uri, listed, ApiKeyBody::from))
}
