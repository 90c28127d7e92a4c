//! Requests to servers that configuration or users name: to public addresses only, bounded in time and size, and never
//! redirected.
//!
//! A name is looked up once, every address that is not public is struck out, and the connection goes to what is left: what
//! was checked is what is connected to. Hosts on the allow-list may be anywhere, and need no TLS.

mod address;
mod rules;
mod signature;

use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::HeaderMap;
use reqwest::redirect::Policy;
use reqwest::{Client, Request, RequestBuilder, Response, StatusCode, Url};
use rustls::pki_types::CertificateDer;
use rustls::{ClientConfig, RootCertStore};
use tracing::field::Empty;
use tracing::{Instrument, Span};

pub use address::is_public;
use denizen_domain::error::RuleBroken;
use denizen_domain::trace::SPAN_TARGET;
pub use rules::AddressRules;
pub(crate) use signature::sign_with;
pub use signature::{SecretError, SigningSecret};

use crate::tracing_context;

/// How much of an answer is read, in bytes.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why a request came to nothing. What was sent and what was answered is never in it.
#[derive(Debug, thiserror::Error)]
pub enum OutsideError {
    /// The address is no `https:` address, or leads into the private network.
    #[error("the URL is not allowed")]
    NotAllowed,
    /// There is no connection, or no answer in time.
    #[error("there was no response")]
    Unreachable(#[source] reqwest::Error),
    /// The answer is larger than it may be.
    #[error("the response is too large")]
    TooLarge,
}

/// A name leads into the private network alone.
#[derive(Debug, thiserror::Error)]
#[error("the host has no public address")]
pub(crate) struct NoPublicAddress;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body: 64 KiB at most.
    pub body: Vec<u8>,
}

/// Makes requests to the outside.
#[derive(Clone)]
pub struct Outside {
    client: Client,
    rules: AddressRules,
}

impl Outside {
    /// A client that waits so long for a whole exchange, and may reach these hosts wherever they are.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn new(timeout: Duration, allowed_hosts: &[String]) -> Result<Self, reqwest::Error> {
        Self::with_authorities(timeout, allowed_hosts, &[])
    }

    /// As [`Outside::new`], and also trusts servers whose certificate one of these authorities issued. A certificate that
    /// cannot be a trust anchor is ignored.
    ///
    /// # Errors
    /// When TLS cannot be set up.
    pub fn with_authorities(
        timeout: Duration,
        allowed_hosts: &[String],
        authorities: &[CertificateDer<'static>],
    ) -> Result<Self, reqwest::Error> {
        let rules = AddressRules::new(allowed_hosts);
        let client = Client::builder()
            .tls_backend_preconfigured(tls_of(authorities))
            .dns_resolver(Arc::new(PublicOnly(rules.clone())))
            .redirect(Policy::none())
            .no_proxy()
            .timeout(timeout)
            .build()?;
        Ok(Self { client, rules })
    }

    /// A `POST` to an address.
    ///
    /// # Errors
    /// [`OutsideError::NotAllowed`].
    pub fn post(&self, address: &str) -> Result<RequestBuilder, OutsideError> {
        Ok(self.client.post(self.rules.permitted(address)?))
    }

    /// A `GET` from an address.
    ///
    /// # Errors
    /// [`OutsideError::NotAllowed`].
    pub fn get(&self, address: &str) -> Result<RequestBuilder, OutsideError> {
        Ok(self.client.get(self.rules.permitted(address)?))
    }

    /// As [`AddressRules::host_of`].
    ///
    /// # Errors
    /// `invalid_url`, `not_https` or `private_address`.
    pub fn host_of(&self, address: &str) -> Result<String, RuleBroken> {
        self.rules.host_of(address)
    }
}

/// TLS that trusts the public certificate authorities, and these.
pub(crate) fn tls_of(authorities: &[CertificateDer<'static>]) -> ClientConfig {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    roots.add_parsable_certificates(authorities.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The canonical form of a host name or an IP address, as it stands in a URL: lower case, an IPv6 address in brackets.
/// `None` for anything else, a host with a port included.
#[must_use]
pub fn parse_host(text: &str) -> Option<String> {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    let literal = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let authority = match literal.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) if text.len() <= 253 && text.bytes().all(is_name_byte) => text.to_owned(),
        Err(_) => return None,
    };
    let url = Url::parse(&format!("https://{authority}/")).ok()?;
    url.host_str().map(str::to_ascii_lowercase)
}

/// Sends a request and reads the answer to its end.
///
/// # Errors
/// As [`OutsideError`] lists them.
pub async fn send(request: RequestBuilder) -> Result<Answer, OutsideError> {
    let mut response = begin(request).await.map_err(OutsideError::Unreachable)?;
    let status = response.status();
    let headers = std::mem::take(response.headers_mut());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(OutsideError::Unreachable)? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(OutsideError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, headers, body })
}

/// Sends a request and reads the head of the answer, as part of the trace that it belongs to.
pub(crate) async fn begin(request: RequestBuilder) -> Result<Response, reqwest::Error> {
    let (client, request) = request.build_split();
    let mut request = request?;
    let span = span_of(&request);
    let sending = async {
        tracing_context::inject(request.headers_mut());
        client.execute(request).await
    };
    let answered = sending.instrument(span.clone()).await;
    match &answered {
        Ok(response) => span.record("http.response.status_code", response.status().as_u16()),
        Err(_) => span.record("otel.status_code", "ERROR"),
    };
    answered
}

/// The span of a request, by the semantic conventions of OpenTelemetry. The path of its URL may be secret.
fn span_of(request: &Request) -> Span {
    let (method, url) = (request.method().as_str(), request.url());
    tracing::info_span!(
        target: SPAN_TARGET,
        "http.client.request",
        otel.name = method,
        otel.kind = "client",
        http.request.method = method,
        server.address = url.host_str(),
        server.port = url.port_or_known_default(),
        http.response.status_code = Empty,
        otel.status_code = Empty,
    )
}

/// Looks names up, and finds public addresses only, except for hosts that are allowed to be anywhere.
struct PublicOnly(AddressRules);

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        let is_allowed = self.0.is_allowed(&name.as_str().to_ascii_lowercase());
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let kept: Vec<SocketAddr> = found.filter(|found| is_allowed || is_public(found.ip())).collect();
            if kept.is_empty() {
                return Err(Box::from(NoPublicAddress));
            }
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Outside, OutsideError, parse_host, send};

    fn outside(allowed: &[&str]) -> Outside {
        let allowed: Vec<String> = allowed.iter().map(|host| (*host).to_owned()).collect();
        Outside::new(Duration::from_secs(2), &allowed).unwrap()
    }

    #[test]
    fn only_public_and_encrypted_addresses_are_asked() {
        for address in [
            "http://example.com/",
            "ftp://example.com/",
            "https://127.0.0.1/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://192.168.1.1/",
            "https://2130706433/",
            "https://0x7f.1/",
            "nonsense",
            "",
        ] {
            assert!(matches!(outside(&[]).post(address), Err(OutsideError::NotAllowed)), "{address}");
            assert!(matches!(outside(&[]).get(address), Err(OutsideError::NotAllowed)), "{address}");
        }
        assert!(outside(&[]).post("https://example.com/hook").is_ok());
        assert!(outside(&["127.0.0.1"]).post("http://127.0.0.1:8080/hook").is_ok());
        assert!(outside(&["localhost"]).post("http://LOCALHOST:8080/hook").is_ok());
        for allowed in ["::1", "[::1]", "0:0::1", "[0:0:0:0:0:0:0:1]"] {
            assert!(outside(&[allowed]).post("http://[::1]:8080/hook").is_ok(), "{allowed}");
        }
        assert!(outside(&["FD00::A"]).post("https://[fd00:0::a]/hook").is_ok());
        assert!(outside(&["127.1"]).post("http://127.0.0.1/hook").is_ok());
    }

    #[test]
    fn a_host_has_one_canonical_form() {
        for (text, canonical) in [
            ("CRM.Internal", Some("crm.internal")),
            ("10.0.0.7", Some("10.0.0.7")),
            ("0x7f.1", Some("127.0.0.1")),
            ("::1", Some("[::1]")),
            ("[FD00:0::A]", Some("[fd00::a]")),
            ("crm_1", Some("crm_1")),
            ("", None),
            ("crm.internal:8080", None),
            ("crm.internal:443", None),
            ("[::1]:8080", None),
            ("::1:", None),
            ("*.example.com", None),
            ("10.0.0.0/8", None),
            ("http://crm.internal", None),
            ("999.0.0.1", None),
        ] {
            assert_eq!(parse_host(text).as_deref(), canonical, "{text}");
        }
    }

    #[test]
    fn an_address_to_keep_is_checked_at_once() {
        for (address, code) in [
            ("nonsense", "invalid_url"),
            ("https://", "invalid_url"),
            ("ftp://example.com/", "invalid_url"),
            ("https://user@example.com/", "invalid_url"),
            ("https://:secret@example.com/", "invalid_url"),
            ("https://example.com/#part", "invalid_url"),
            ("http://example.com/", "not_https"),
            ("https://127.0.0.1/", "private_address"),
            ("https://[::1]/", "private_address"),
            ("https://0x7f.1/", "private_address"),
            ("https://169.254.169.254/latest", "private_address"),
            ("https://LOCALHOST/", "private_address"),
            ("https://a.localhost/", "private_address"),
        ] {
            assert_eq!(outside(&[]).host_of(address).unwrap_err().code, code, "{address}");
        }
        assert_eq!(outside(&[]).host_of("https://Example.com:8443/hook?token=1").unwrap(), "example.com");
        assert_eq!(outside(&["localhost"]).host_of("http://localhost:8080/hook").unwrap(), "localhost");
    }

    #[tokio::test]
    async fn a_name_that_leads_home_is_not_followed() {
        let request = outside(&[]).post("https://localhost:9/hook").unwrap();
        let error = send(request).await.unwrap_err();
        let chain = format!("{error:?}");
        assert!(matches!(error, OutsideError::Unreachable(_)) && chain.contains("NoPublicAddress"), "{chain}");
    }
}
