//! `GET /api/v1/users`.

use axum::extract::State;
use axum::response::Response;
use denizen_domain::error::{FieldError, RuleBroken};
use denizen_domain::page::{Page, Total};
use denizen_domain::ports::Vault;
use denizen_domain::roles::RoleName;
use denizen_domain::users::{self, EmailAddress, Status, UserFilter};
use http::Uri;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;
use super::answers::{Always, BadInput, Permitted, SignedIn};
use super::body::UserBody;
use super::extract::{Caller, Fields, ListQuery, check_plus, query_moment};
use super::page::{self, List, PageParams};
use super::problem::Problem;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list))
}

/// Which users to list.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FilterParams {
    /// Returns only the user with this email address.
    email: Option<String>,
    /// Returns only users whose email address or name starts with this text, case-insensitively. In a query string, `+`
    /// means a space: encode a literal `+` as `%2B`.
    #[param(max_length = 200)]
    q: Option<String>,
    /// Returns only users with this role.
    role: Option<String>,
    /// Returns only users with this status: `active`, `disabled` or `invited`.
    #[param(pattern = "^(active|disabled|invited)$")]
    status: Option<String>,
    /// Returns only users created after this time (RFC 3339). Encode the `+` of an offset as `%2B`.
    #[param(value_type = Option<String>, format = DateTime)]
    created_after: Option<String>,
}

impl FilterParams {
    /// Everything at fault is told together.
    fn read(&self, page: &PageParams, vault: &dyn Vault) -> Result<(UserFilter, Page, Total), Problem> {
        let mut fields = Fields::default();
        let invalid = |field: &str, expected: &str| FieldError::new(field, "invalid_value", expected);
        let email = self.email.as_deref().map(|raw| {
            let email = check_plus(raw).and_then(|()| EmailAddress::parse(raw));
            fields.check("email", email)
        });
        let role = self.role.as_deref().map(|raw| fields.check("role", RoleName::reference(raw)));
        let status = self.status.as_deref().map(|raw| {
            let status = Status::parse(raw);
            status.ok_or_else(|| fields.refuse(invalid("status", "must be active, disabled or invited"))).ok()
        });
        let created_after = self.created_after.as_deref().map(|raw| fields.check("created_after", query_moment(raw)));
        let q = self.q.as_deref().unwrap_or_default();
        let prefix = fields.check("q", check_plus(q).and_then(|()| prefix(q)));
        let filter = UserFilter {
            email: email.flatten(),
            prefix: prefix.flatten(),
            role: role.flatten(),
            status: status.flatten(),
            created_after: created_after.flatten(),
        };
        let asked = page.read(vault, List::Users).map_err(|field| fields.refuse(field)).ok();
        Ok(fields.finish(asked.map(|(page, total)| (filter, page, total)))?)
    }
}

/// What the address or the name of a user must begin with, in the form that is searched; nothing when it is empty.
pub(crate) fn prefix(raw: &str) -> Result<Option<String>, RuleBroken> {
    if raw.chars().count() > 200 || raw.contains('\0') {
        let message = "must be at most 200 characters without NUL".to_owned();
        return Err(RuleBroken { code: "invalid_value", message });
    }
    Ok(Some(raw).filter(|raw| !raw.is_empty()).map(users::search_key))
}

/// List users, newest first.
#[utoipa::path(
    get, path = "/api/v1/users", tag = "users", operation_id = "users.list",
    params(PageParams, FilterParams),
    responses(
        (status = 200, description = "A page of users.", body = [UserBody], headers(
            ("Link" = String, description = "`rel=\"next\"`: the next page, if there is one (RFC 8288)."),
            ("X-Total-Count" = u64, description = "The total number of items, with `count=true`. Above 10,000: exact \
                                                   to within 10 seconds with `role` and `status` or without filters; a \
                                                   lower bound with other filters."),
            ("X-Total-Count-Limited" = bool, description = "`true` if `X-Total-Count` is a lower bound; absent otherwise."),
        )),
        BadInput, SignedIn, Permitted, Always,
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
    let (filter, page, total) = params.read(&page, vault)?;
    let listed = users::list(&ctx, &filter, page, total).await?;
    Ok(page::respond(vault, List::Users, &uri, listed, UserBody::from))
}
