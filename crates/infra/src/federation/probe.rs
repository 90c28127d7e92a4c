//! Checks a provider as far as that is possible without a user, and says in a sentence what is wrong.

use denizen_domain::providers::{AuthorizationRequest, Finding, Provider};
use denizen_domain::time::Timestamp;
use http::HeaderMap;
use http::header::{DATE, LOCATION};
use reqwest::StatusCode;
use secrecy::SecretString;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::HttpFederation;
use super::cache::Demand;
use super::exchange::{Grant, exchange};
use super::failure::Failure;
use super::fetch::PROGRAM;
use super::flow::{authorization_url, token_request};
use super::keys::fetch_keys;
use super::metadata::{Endpoints, fetch_metadata};
use super::presets::Protocol;
use super::resolve::{Endpoint, Resolved};
use super::token_response::ExchangeError;
use crate::outside::send;

/// How far the clocks may differ, in seconds: the leeway of ID tokens.
const CLOCK_DIFFERENCE_S: i64 = 60;

impl HttpFederation {
    /// All findings, in the order of the checks. A check that depends on one that failed is left out.
    pub(super) async fn probe(&self, provider: &Provider, redirect_uri: &str, findings: &mut Vec<Finding>) {
        let Ok(resolved) = Resolved::new(&provider.settings) else { return };
        let mut headers = None;
        if resolved.protocol == Protocol::OpenidConnect && resolved.endpoint(Endpoint::Jwks).is_none() {
            let (finding, answered) = self.probe_discovery(&resolved).await;
            let is_usable = finding.has_passed;
            headers = answered;
            findings.push(finding);
            if !is_usable {
                return;
            }
        }
        let Ok(endpoints) = self.endpoints(&resolved, Demand::Fresh).await else { return };
        if resolved.protocol == Protocol::OpenidConnect {
            let (finding, answered) = self.probe_keys(&endpoints).await;
            headers = headers.or(answered);
            findings.push(finding);
        }
        if let Some(difference_s) = headers.and_then(|headers| difference_s(&headers, self.clock.now())) {
            findings.push(clock_finding(difference_s));
        }
        self.probe_client(provider, &resolved, &endpoints, redirect_uri, findings).await;
    }

    async fn probe_discovery(&self, provider: &Resolved<'_>) -> (Finding, Option<HeaderMap>) {
        let (issuer, url) = (provider.issuer().unwrap_or_default(), provider.discovery_url().unwrap_or_default());
        let fetched = match self.outside() {
            Ok(outside) => fetch_metadata(&outside, &url, issuer).await,
            Err(failure) => Err(failure),
        };
        match fetched {
            Ok((_, answer)) => (passed("discovery", format!("The metadata at {url} is valid.")), Some(answer.headers)),
            Err(failure) => (failed("discovery", discovery_advice(&failure, &url)), None),
        }
    }

    async fn probe_keys(&self, endpoints: &Endpoints) -> (Finding, Option<HeaderMap>) {
        let url = &endpoints.jwks;
        let fetched = match self.outside() {
            Ok(outside) => fetch_keys(&outside, url).await,
            Err(failure) => Err(failure),
        };
        match fetched {
            Ok((keys, answer)) if !keys.keys.is_empty() => {
                let message = format!("{} public keys at {url} can verify ID tokens.", keys.keys.len());
                (passed("keys", message), Some(answer.headers))
            }
            Ok((_, answer)) => {
                let message = format!(
                    "None of the keys at {url} can verify ID tokens. Let the provider sign with RS256, ES256 or EdDSA."
                );
                (failed("keys", message), Some(answer.headers))
            }
            Err(failure) => {
                let message = format!(
                    "The public keys at {url} cannot be used: {}. Check that this server can reach the URL.",
                    failure.summary()
                );
                (failed("keys", message), None)
            }
        }
    }

    /// Sends an authorization request and a token request with a code that was never issued.
    async fn probe_client(
        &self,
        provider: &Provider,
        resolved: &Resolved<'_>,
        endpoints: &Endpoints,
        redirect_uri: &str,
        findings: &mut Vec<Finding>,
    ) {
        let (state, verifier, code) = (self.random_text(), self.random_text().into(), self.random_text().into());
        let request = AuthorizationRequest {
            redirect_uri,
            state: &state,
            nonce: &state,
            code_verifier: &verifier,
            login_hint: None,
            locale: None,
        };
        let authorization = self.probe_authorization(resolved, endpoints, &request).await;
        let token = self.probe_token(provider, resolved, endpoints, &code, (redirect_uri, &verifier)).await;
        let objects = token.as_ref().is_err_and(|verdict| *verdict == Verdict::RedirectUri);
        findings.push(match authorization {
            Ok(()) if !objects => passed("redirect_uri", format!("The provider did not object to {redirect_uri}.")),
            Err(failure) if !objects => failed("redirect_uri", authorization_advice(&failure, redirect_uri)),
            _ => failed(
                "redirect_uri",
                format!("The provider does not know {redirect_uri}. Register exactly this redirect URI there."),
            ),
        });
        if let Some(finding) = token.map_or_else(Verdict::finding, |()| Some(client_accepted())) {
            findings.push(finding);
        }
    }

    async fn probe_authorization(
        &self,
        provider: &Resolved<'_>,
        endpoints: &Endpoints,
        request: &AuthorizationRequest<'_>,
    ) -> Result<(), Failure> {
        let url = authorization_url(provider, endpoints, request)?;
        let answer = send(self.outside()?.get(&url)?.header(http::header::USER_AGENT, PROGRAM)).await;
        let answer = match answer {
            // Sign-in pages may be large; that there is one is enough.
            Err(crate::outside::OutsideError::TooLarge) => return Ok(()),
            answer => answer?,
        };
        let location = answer.headers.get(LOCATION).and_then(|location| location.to_str().ok()).unwrap_or_default();
        // Google redirects to a page that describes the error. A redirect to us says that the URI is known.
        let is_error_page = location.contains("oauth/error") && !location.starts_with(request.redirect_uri);
        let is_refused = matches!(
            answer.status,
            StatusCode::BAD_REQUEST
                | StatusCode::UNAUTHORIZED
                | StatusCode::NOT_FOUND
                | StatusCode::UNPROCESSABLE_ENTITY
        );
        if answer.status.is_server_error() {
            return Err(Failure::Unavailable(format!("status {}", answer.status.as_u16())));
        }
        if is_error_page || is_refused {
            return Err(Failure::because("redirect_uri", format!("status {}", answer.status.as_u16())));
        }
        Ok(())
    }

    /// `Ok` if the provider refused nothing but the code.
    async fn probe_token(
        &self,
        provider: &Provider,
        resolved: &Resolved<'_>,
        endpoints: &Endpoints,
        code: &SecretString,
        (redirect_uri, code_verifier): (&str, &SecretString),
    ) -> Result<(), Verdict> {
        let secret = self.client_secret(provider, resolved).map_err(Verdict::Failed)?;
        let outside = self.outside().map_err(Verdict::Failed)?;
        let code_verifier = resolved.has_pkce().then_some(code_verifier);
        let code = Grant::Code { code, redirect_uri: Some(redirect_uri), code_verifier };
        let request = token_request(resolved, endpoints, secret.as_deref(), code);
        match exchange(&outside, &request).await {
            Ok(_) => Ok(()),
            Err(ExchangeError::Failed(failure)) => Err(Verdict::Failed(failure)),
            Err(ExchangeError::Answered { status, error, description }) => {
                Verdict::of(status, &error, &description).map_or(Ok(()), Err)
            }
        }
    }

    /// 43 characters, as a PKCE verifier has them at least.
    fn random_text(&self) -> String {
        use base64::Engine;
        let mut bytes = [0; 32];
        self.random.fill(&mut bytes);
        base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
    }
}

/// What the token endpoint refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The redirect URI.
    RedirectUri,
    /// The client id or the client secret.
    Client(String),
    /// Something else.
    Other(String),
    /// There was no response that could be understood.
    Failed(Failure),
}

impl Verdict {
    /// `None` if it was the code. `description` is in lower case.
    pub(super) fn of(status: u16, error: &str, description: &str) -> Option<Self> {
        let mentions = |texts: &[&str]| texts.iter().any(|text| description.contains(text));
        if matches!(error, "redirect_uri_mismatch" | "bad_redirect_uri" | "invalid_redirect_uri")
            || mentions(&["redirect_uri", "redirect uri", "redirecturi", "aadsts50011"])
        {
            return Some(Self::RedirectUri);
        }
        let is_client = matches!(
            error,
            "invalid_client"
                | "unauthorized_client"
                | "incorrect_client_credentials"
                | "bad_client_secret"
                | "invalid_client_id"
        );
        if is_client || status == 401 || mentions(&["client secret", "client_secret", "invalid client"]) {
            return Some(Self::Client(error.to_owned()));
        }
        let is_code = matches!(error, "invalid_grant" | "bad_verification_code" | "invalid_code");
        if is_code || mentions(&["authorization code", "verification code", "code is invalid", "invalid code"]) {
            return None;
        }
        Some(Self::Other(error.to_owned()))
    }

    fn finding(self) -> Option<Finding> {
        let message = match self {
            Self::RedirectUri => return None,
            Self::Client(error) => format!(
                "The provider does not accept the client id or the client secret ({error}). Copy both again from the \
                 provider's console, and check that the secret has not expired."
            ),
            Self::Other(error) => format!(
                "The token endpoint refused the request with \"{error}\", so that the client secret could not be \
                 checked. Check that the application is enabled at the provider for the authorization code flow."
            ),
            Self::Failed(failure) => format!(
                "The token request failed: {}. Check the token endpoint and the client secret.",
                failure.summary()
            ),
        };
        Some(failed("client", message))
    }
}

fn client_accepted() -> Finding {
    passed("client", "The provider accepts the client id and the client secret.".to_owned())
}

fn discovery_advice(failure: &Failure, url: &str) -> String {
    let advice = match failure {
        Failure::Refused { check: "discovery_issuer", .. } => {
            "Set the issuer to the value of \"issuer\" in that document, character by character"
        }
        Failure::Refused { check: "address", .. } => {
            "Use a public https URL, or put its host on the list of allowed hosts"
        }
        Failure::Refused { check: "redirect", .. } => "Set the issuer to the URL that the redirect leads to",
        Failure::Refused { .. } => "Check the issuer; a provider without OpenID Connect needs its endpoints instead",
        Failure::Unavailable(_) => "Check that this server can reach the provider and trusts its certificate",
    };
    format!("The metadata at {url} cannot be used: {}. {advice}.", failure.summary())
}

fn authorization_advice(failure: &Failure, redirect_uri: &str) -> String {
    format!(
        "The authorization endpoint refused the request: {}. Check the client id, and register exactly {redirect_uri} as \
         redirect URI.",
        failure.summary()
    )
}

/// By how much the provider's clock is ahead of ours, in seconds.
fn difference_s(headers: &HeaderMap, now: Timestamp) -> Option<i64> {
    let date = headers.get(DATE)?.to_str().ok()?;
    Some(OffsetDateTime::parse(date, &Rfc2822).ok()?.unix_timestamp() - now.as_seconds())
}

fn clock_finding(difference_s: i64) -> Finding {
    if difference_s.abs() <= CLOCK_DIFFERENCE_S {
        return passed("clock", "The clocks differ by less than a minute.".to_owned());
    }
    let message = format!(
        "The provider's clock differs from that of this server by {} s. Synchronize the clock of this server (NTP); ID \
         tokens are refused beyond {CLOCK_DIFFERENCE_S} s.",
        difference_s.abs()
    );
    failed("clock", message)
}

pub(super) fn passed(check: &'static str, message: String) -> Finding {
    Finding { check, has_passed: true, message }
}

pub(super) fn failed(check: &'static str, message: String) -> Finding {
    Finding { check, has_passed: false, message }
}
