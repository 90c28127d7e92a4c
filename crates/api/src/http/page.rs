//! Pages over REST: the cursor and the `Link` header.

use axum::Json;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use denizen_domain::error::FieldError;
use denizen_domain::page::{Listed, Page, Position, Total};
use denizen_domain::ports::Vault;
use denizen_domain::time::Timestamp;
use http::header::{CONTENT_TYPE, LINK};
use http::{HeaderMap, HeaderValue, Uri};
use serde::{Deserialize, Serialize};
use utoipa::IntoParams;
use uuid::Uuid;

const POSITION_BYTES: usize = 8 + 16;
const CODE_BYTES: usize = 16;

/// The list that a cursor belongs to: a cursor of one list is forged in another.
#[derive(Debug, Clone, Copy)]
pub(crate) enum List {
    /// `GET /api/v1/users`.
    Users,
    /// `GET /api/v1/sessions`.
    Sessions,
    /// `GET /api/v1/roles`.
    Roles,
    /// `GET /api/v1/service-accounts`.
    ServiceAccounts,
    /// `GET /api/v1/api-keys`.
    ApiKeys,
    /// `GET /api/v1/webhooks`.
    Webhooks,
    /// `GET /api/v1/webhooks/{id}/deliveries`.
    Deliveries,
}

impl List {
    const fn purpose(self) -> &'static str {
        match self {
            Self::Users => "cursor of users",
            Self::Sessions => "cursor of sessions",
            Self::Roles => "cursor of roles",
            Self::ServiceAccounts => "cursor of service accounts",
            Self::ApiKeys => "cursor of api keys",
            Self::Webhooks => "cursor of webhooks",
            Self::Deliveries => "cursor of deliveries",
        }
    }
}

/// The opaque form of a place in a list: creation time, id, and a code that only this deployment can make.
pub(crate) fn seal(vault: &dyn Vault, list: List, position: Position) -> String {
    let mut bytes = Vec::with_capacity(POSITION_BYTES + CODE_BYTES);
    bytes.extend(position.created_at.as_micros().to_be_bytes());
    bytes.extend(position.id.as_bytes());
    let code = vault.mac(list.purpose(), &bytes);
    bytes.extend(&code[..CODE_BYTES]);
    URL_SAFE_NO_PAD.encode(bytes)
}

/// The place that a cursor stands for; `None` when it was not made here, for this list.
pub(crate) fn open(vault: &dyn Vault, list: List, cursor: &str) -> Option<Position> {
    // The length first: a decoder should not be fed what cannot be a cursor.
    if cursor.len() > 2 * (POSITION_BYTES + CODE_BYTES) {
        return None;
    }
    let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
    let (position, code) = bytes.split_at_checked(POSITION_BYTES)?;
    let expected = vault.mac(list.purpose(), position);
    aws_lc_rs::constant_time::verify_slices_are_equal(code, &expected[..CODE_BYTES]).ok()?;
    let (micros, id) = position.split_at(8);
    Some(Position {
        created_at: Timestamp::from_micros(i64::from_be_bytes(micros.try_into().ok()?)),
        id: Uuid::from_slice(id).ok()?,
    })
}

/// Which part of a list, and whether to count it.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageParams {
    /// Maximum number of items: 1 to 200.
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 20)]
    limit: Option<String>,
    /// Number of items to skip. The cost grows with the offset; prefer `after`.
    #[param(value_type = Option<u32>, minimum = 0, maximum = 1_000_000)]
    offset: Option<String>,
    /// The cursor from the `Link` header of the previous page.
    after: Option<String>,
    /// `true` adds the response header `X-Total-Count`.
    #[param(value_type = Option<bool>)]
    count: Option<String>,
}

impl PageParams {
    /// Their names.
    pub(crate) const NAMES: [&str; 4] = ["limit", "offset", "after", "count"];

    /// What they ask of one list.
    pub(crate) fn read(&self, vault: &dyn Vault, list: List) -> Result<(Page, Total), FieldError> {
        let number = |name: &str, raw: &Option<String>| {
            let wrong = |_| FieldError::new(name, "wrong_type", "must be a whole number");
            raw.as_deref().map(|raw| raw.parse::<u32>().map_err(wrong)).transpose()
        };
        let total = match self.count.as_deref() {
            None | Some("false") => Total::Skip,
            Some("true") => Total::Count,
            Some(_) => return Err(FieldError::new("count", "invalid_value", "must be true or false")),
        };
        let after = self.after.as_deref().map(|cursor| {
            open(vault, list, cursor)
                .ok_or_else(|| FieldError::new("after", "invalid_cursor", "must be a cursor of this list"))
        });
        let page = Page::new(number("limit", &self.limit)?, number("offset", &self.offset)?, after.transpose()?)?;
        Ok((page, total))
    }
}

/// A page as a JSON array, with `Link`, `X-Total-Count`, and `X-Total-Count-Limited` if there may be more.
pub(crate) fn respond<T, B: Serialize>(
    vault: &dyn Vault,
    list: List,
    uri: &Uri,
    listed: Listed<T>,
    body: impl Fn(T) -> B,
) -> Response {
    let mut headers = HeaderMap::new();
    let next = listed.next.map(|position| seal(vault, list, position));
    if let Some(link) = next.and_then(|cursor| next_link(uri, &cursor)) {
        headers.insert(LINK, link);
    }
    if let Some(total) = listed.total {
        headers.insert("x-total-count", HeaderValue::from(total.value()));
        if !total.is_exact() {
            headers.insert("x-total-count-limited", HeaderValue::from_static("true"));
        }
    }
    let bodies: Vec<B> = listed.items.into_iter().map(body).collect();
    // A page is long: into a `Vec` it is written in half of the time that `Json` takes.
    let Ok(json) = serde_json::to_vec(&bodies) else { return (headers, Json(bodies)).into_response() };
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let mut response = Response::new(Body::from(json));
    *response.headers_mut() = headers;
    response
}

/// The `Link` to the next page (RFC 8288): this address with the cursor in place of where it began.
pub(crate) fn next_link(uri: &Uri, cursor: &str) -> Option<HeaderValue> {
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| {
        let name = pair.split('=').next().unwrap_or_default();
        !pair.is_empty() && !matches!(name, "after" | "offset" | "count")
    });
    let query: Vec<&str> = kept.collect();
    let separator = if query.is_empty() { "" } else { "&" };
    let link = format!("<{}?{}{separator}after={cursor}>; rel=\"next\"", uri.path(), query.join("&"));
    HeaderValue::try_from(link).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use denizen_domain::page::Count;
    use proptest::prelude::*;

    struct FlatVault;

    impl Vault for FlatVault {
        fn seal(&self, _: &[u8], plain: &[u8]) -> Vec<u8> {
            plain.to_vec()
        }
        fn open(&self, _: &[u8], sealed: &[u8]) -> Option<Vec<u8>> {
            Some(sealed.to_vec())
        }
        fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
            let mut code = [purpose.as_bytes()[0]; 32];
            for (at, byte) in message.iter().enumerate() {
                code[at % 16] = code[at % 16].wrapping_mul(31).wrapping_add(*byte);
            }
            code
        }
    }

    proptest! {
        #[test]
        fn a_cursor_opens_to_where_it_was_made(micros in 0..250_000_000_000_000_000i64, id in any::<u128>()) {
            let position = Position { created_at: Timestamp::from_micros(micros), id: Uuid::from_u128(id) };
            let cursor = seal(&FlatVault, List::Users, position);
            prop_assert_eq!(open(&FlatVault, List::Users, &cursor), Some(position));
        }

        #[test]
        fn a_bent_cursor_does_not_open(at in 0usize..40, flip in 1u8.., id in any::<u128>()) {
            let position = Position { created_at: Timestamp::from_micros(1), id: Uuid::from_u128(id) };
            let mut bytes = URL_SAFE_NO_PAD.decode(seal(&FlatVault, List::Users, position)).unwrap();
            bytes[at] ^= flip;
            prop_assert_eq!(open(&FlatVault, List::Users, &URL_SAFE_NO_PAD.encode(bytes)), None);
        }

        #[test]
        fn any_text_is_refused_quietly(text in ".{0,200}") {
            prop_assert_eq!(open(&FlatVault, List::Users, &text), None);
        }
    }

    #[test]
    fn a_total_that_is_a_lower_bound_says_so() {
        let respond = |total| {
            let listed = Listed { items: Vec::<u32>::new(), next: None, total: Some(total) };
            respond(&FlatVault, List::Users, &Uri::from_static("/"), listed, |item| item).headers().clone()
        };
        let exact = respond(Count::Exactly(10_001));
        assert_eq!(exact["x-total-count"], "10001");
        assert_eq!(exact.get("x-total-count-limited"), None);
        let limited = respond(Count::AtLeast(10_000));
        assert_eq!(limited["x-total-count"], "10000");
        assert_eq!(limited["x-total-count-limited"], "true");
    }

    #[test]
    fn the_link_keeps_the_filters_and_moves_on() {
        let uri: Uri = "/api/v1/users?role=admin&offset=20&limit=5&count=true".parse().unwrap();
        assert_eq!(next_link(&uri, "abc").unwrap(), "</api/v1/users?role=admin&limit=5&after=abc>; rel=\"next\"");
        assert_eq!(
            next_link(&"/api/v1/users".parse().unwrap(), "abc").unwrap(),
            "</api/v1/users?after=abc>; rel=\"next\""
        );
    }
}
