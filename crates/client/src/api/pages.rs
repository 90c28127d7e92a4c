//! Lists, page by page or as a stream.

use std::collections::VecDeque;
use std::fmt;
use std::marker::PhantomData;

use futures_util::stream::{self, Stream};
use serde::de::DeserializeOwned;

use super::call::{Parts, decode};
use super::send::Answer;
use super::{Api, ApiError};
use crate::transport::BoxFuture;

/// A list. Awaited, it is one page; [`Self::stream`] has all items.
#[must_use = "a list is requested when it is awaited"]
pub struct List<'a, T> {
    api: &'a Api,
    parts: Parts,
    limit_max: u32,
    item: PhantomData<fn() -> T>,
}

/// A page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Page<T> {
    /// The items.
    pub items: Vec<T>,
    /// The parameter `after` of the next page; `None` if this is the last one.
    pub next: Option<String>,
    /// The number of all items, if the query has `count`. A lower bound if [`Self::is_total_limited`].
    pub total: Option<u64>,
    /// Whether there may be more items than [`Self::total`].
    pub is_total_limited: bool,
}

impl<'a, T> List<'a, T> {
    pub(super) fn new(api: &'a Api, parts: Parts, limit_max: u32) -> Self {
        Self { api, parts, limit_max, item: PhantomData }
    }
}

impl<'a, T: DeserializeOwned + Send + 'a> List<'a, T> {
    /// All items from the first page on. Each page is requested when it is needed, with the largest size unless the query
    /// has a `limit`. A stream that failed has ended.
    pub fn stream(mut self) -> impl Stream<Item = Result<T, ApiError>> + Send + Unpin + 'a {
        if !self.parts.query.iter().any(|(name, _)| *name == "limit") {
            self.parts.query.push(("limit", self.limit_max.to_string()));
        }
        let unread = Unread { api: self.api, parts: Some(self.parts), items: VecDeque::<T>::new() };
        Box::pin(stream::try_unfold(unread, async |mut unread| {
            loop {
                if let Some(item) = unread.items.pop_front() {
                    return Ok(Some((item, unread)));
                }
                let Some(mut parts) = unread.parts.take() else { return Ok(None) };
                let page = page::<T>(&parts.send(unread.api).await?)?;
                unread.items = page.items.into();
                unread.parts = page.next.map(|cursor| {
                    parts.query.retain(|(name, _)| !matches!(*name, "after" | "offset"));
                    parts.query.push(("after", cursor));
                    parts
                });
            }
        }))
    }
}

/// What a stream has not returned yet.
struct Unread<'a, T> {
    api: &'a Api,
    items: VecDeque<T>,
    /// The request for the next page.
    parts: Option<Parts>,
}

impl<'a, T: DeserializeOwned + 'a> IntoFuture for List<'a, T> {
    type Output = Result<Page<T>, ApiError>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move { page(&self.parts.send(self.api).await?) })
    }
}

impl<T> fmt::Debug for List<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("List").field("parts", &self.parts).finish_non_exhaustive()
    }
}

fn page<T: DeserializeOwned>(answer: &Answer) -> Result<Page<T>, ApiError> {
    Ok(Page {
        items: decode(answer)?,
        next: answer.header("link").and_then(next_cursor),
        total: answer.header("x-total-count").and_then(|total| total.parse().ok()),
        is_total_limited: answer.header("x-total-count-limited") == Some("true"),
    })
}

/// The parameter `after` of the link with `rel="next"` (RFC 8288).
fn next_cursor(links: &str) -> Option<String> {
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, rest) = next.split_once('<')?;
    let (url, _) = rest.split_once('>')?;
    let (_, query) = url.split_once('?')?;
    query.split('&').find_map(|pair| pair.strip_prefix("after=")).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::next_cursor;

    #[test]
    fn the_cursor_is_that_of_the_next_page() {
        let link = "</api/v1/users?limit=2&after=AbC-_9>; rel=\"next\"";
        assert_eq!(next_cursor(link).as_deref(), Some("AbC-_9"));
        assert_eq!(next_cursor(&format!("</a?after=x>; rel=\"first\", {link}")).as_deref(), Some("AbC-_9"));
        for other in ["", "<>", "</api/v1/users?after=x>; rel=\"prev\"", "</api/v1/users>; rel=\"next\""] {
            assert_eq!(next_cursor(other), None, "{other}");
        }
    }
}
