//! Page 10,000 by cursor, against page 1, with a million users.

use std::time::Duration;

use anyhow::{Context, ensure};

use super::client::{Client, request};
use super::server::{ADMIN, Binary, Server, Site};
use super::{Row, Scale, bulk, median, ms, now, postgres_url};

/// How many users there are.
const USERS: usize = 1_000_000;
/// The page that is far down; every page before it is walked.
const DEPTH: usize = 10_000;
/// How often each page is asked for.
const REQUESTS: usize = 200;
/// What the server lists.
const FIRST_PAGE: &str = "/api/v1/users?limit=20";

const RATIO_MAX: f64 = 2.0;

pub(super) async fn measure(binary: &Binary, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let users = i64::try_from(scale.count(USERS))?;
    println!("pages: {users} users, {} pages walked", scale.count(DEPTH));
    let site = Site::new(binary, None).await?;
    bulk::fill_sqlite(&site.sqlite_file(), users).await.context("filling SQLite")?;
    let mut rows = compare("SQLite", &site, scale).await?;

    if let Some(server_url) = postgres_url() {
        let scratch = bulk::Scratch::new(&server_url).await?;
        let compared = on_postgres(binary, &scratch.url, users, scale).await;
        scratch.remove().await?;
        rows.extend(compared?);
    } else {
        println!("pages: DENIZEN_TEST_POSTGRES_URL is not set, so not on PostgreSQL");
    }
    Ok(rows)
}

async fn on_postgres(binary: &Binary, url: &str, users: i64, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let site = Site::new(binary, Some(url.to_owned())).await?;
    bulk::fill_postgres(url, users).await.context("filling PostgreSQL")?;
    compare("PostgreSQL", &site, scale).await
}

async fn compare(database: &str, site: &Site<'_>, scale: Scale) -> anyhow::Result<Vec<Row>> {
    let (server, _) = site.start().await?;
    let (token, _) = server.sign_in(ADMIN).await?;
    let first = request("GET", FIRST_PAGE, Some(&token), None);
    let (deep, walk) = walk(&server, &token, scale.count(DEPTH)).await?;

    let mut client = Client::connect(server.address).await?;
    let (mut first_times, mut deep_times) = (Vec::new(), Vec::new());
    for _ in 0..scale.count(REQUESTS) {
        first_times.push(time(&mut client, &first).await?);
        deep_times.push(time(&mut client, &deep).await?);
    }
    server.stop().await?;

    let (first, deep) = (median(&first_times)?, median(&deep_times)?);
    let ratio = deep.as_secs_f64() / first.as_secs_f64();
    let measured = format!("{} against {} ({ratio:.2}×)", ms(deep), ms(first));
    let depth = scale.count(DEPTH);
    Ok(vec![
        Row::promised(
            format!("page {depth} against page 1 on {database}, median"),
            measured,
            "≤ 2×",
            ratio <= RATIO_MAX,
        ),
        Row::shown(format!("walking {depth} pages on {database}"), format!("{:.1} s", walk.as_secs_f64())),
    ])
}

/// Follows the `Link` headers, as a client would. Returns the request for the page at that depth.
async fn walk(server: &Server, token: &str, depth: usize) -> anyhow::Result<(Vec<u8>, Duration)> {
    let mut client = Client::connect(server.address).await?;
    let mut asked = request("GET", FIRST_PAGE, Some(token), None);
    let begun = now();
    for page in 1..depth {
        let status = client.send(&asked).await?;
        ensure!(status == 200, "page {page} answered {status}: {}", String::from_utf8_lossy(client.body()));
        let link = client.header("link").with_context(|| format!("page {page} has no Link header"))?;
        let target = next_target(&link).with_context(|| format!("no rel=\"next\" in {link}"))?;
        asked = request("GET", target, Some(token), None);
    }
    Ok((asked, now() - begun))
}

async fn time(client: &mut Client, asked: &[u8]) -> anyhow::Result<Duration> {
    let begun = now();
    let status = client.send(asked).await?;
    let time = now() - begun;
    ensure!(status == 200, "a page answered {status}: {}", String::from_utf8_lossy(client.body()));
    Ok(time)
}

/// Path and query of the link to the next page (RFC 8288), whether it is written relative or absolute.
fn next_target(link: &str) -> Option<&str> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let target = next.split_once('<')?.1.split_once('>')?.0;
    let Some((_, rest)) = target.split_once("://") else { return Some(target) };
    rest.find('/').map(|at| &rest[at..])
}

#[cfg(test)]
mod tests {
    use super::next_target;

    #[test]
    fn the_next_page_is_found() {
        assert_eq!(next_target("</api/v1/users?after=x>; rel=\"next\""), Some("/api/v1/users?after=x"));
        let both = "<http://h:1/a?b=1>; rel=\"first\", <http://h:1/a?b=2>; rel=\"next\"";
        assert_eq!(next_target(both), Some("/a?b=2"));
        assert_eq!(next_target("</a>; rel=\"first\""), None);
    }
}
