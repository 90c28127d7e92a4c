//! `/api/v1/audit`: who did what to whom, from where and by which credential.

pub(crate) mod body;
pub(crate) mod csv;
pub(crate) mod export;
pub(crate) mod head;
mod list;

use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Shared;

pub(super) fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(list::list)).routes(routes!(head::head))
}

pub(super) fn stream_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new().routes(routes!(export::export))
}
