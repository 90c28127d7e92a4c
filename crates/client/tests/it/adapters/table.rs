//! One table of behaviour for all adapters: which request gets which response.

use denizen_client::{Acr, Policy, Requirement};
use serde_json::json;
use std::time::Duration;

use crate::support::{Alg, Issuer, NOW_S};

/// What a route requires. Each adapter has one route for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Route {
    /// An optional user. Responds with their id, or with `nobody`.
    Optional,
    /// A user. Responds with their id.
    User,
    /// The permission `notes:write`.
    Permission,
    /// A second factor.
    SecondFactor,
    /// An authentication in the last five minutes.
    Recent,
}

impl Route {
    pub(crate) const ALL: [Self; 5] = [Self::Optional, Self::User, Self::Permission, Self::SecondFactor, Self::Recent];

    pub(crate) fn path(self) -> &'static str {
        match self {
            Self::Optional => "/optional",
            Self::User => "/user",
            Self::Permission => "/permission",
            Self::SecondFactor => "/second-factor",
            Self::Recent => "/recent",
        }
    }

    /// The same as a policy; `None` for the optional user.
    pub(crate) fn policy(self) -> Option<Policy> {
        match self {
            Self::Optional => None,
            Self::User => Some(Policy::user()),
            Self::Permission => Some(MayWrite::policy()),
            Self::SecondFactor => Some(SecondFactor::policy()),
            Self::Recent => Some(Recent::policy()),
        }
    }
}

pub(crate) struct MayWrite;

impl Requirement for MayWrite {
    fn policy() -> Policy {
        Policy::new().permission("notes:write")
    }
}

pub(crate) struct SecondFactor;

impl Requirement for SecondFactor {
    fn policy() -> Policy {
        Policy::user().acr(Acr::Aal2)
    }
}

pub(crate) struct Recent;

impl Requirement for Recent {
    fn policy() -> Policy {
        Policy::user().max_age(Duration::from_mins(5))
    }
}

/// A row: a request and the response to it.
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) route: Route,
    /// The values of `Authorization`.
    pub(crate) authorization: Vec<String>,
    pub(crate) status: u16,
    pub(crate) challenge: Option<String>,
}

/// A challenge with these parameters.
#[expect(clippy::unnecessary_wraps, reason = "a column of the table, which may be empty")]
fn challenge(parameters: &str) -> Option<String> {
    Some(format!("Bearer realm=\"denizen\"{parameters}"))
}

/// The session that the test revokes.
pub(crate) const ENDED_SESSION: &str = "01a20480-eeee-7ef8-9a3f-6b05e0590813";

/// Tokens that no route accepts.
fn invalid_tokens() -> Vec<(&'static str, String)> {
    let issuer = Issuer::shared();
    let header = |changes| issuer.token_of(Alg::Es256, &changes, &json!({}));
    vec![
        ("another issuer", issuer.token_with(&json!({"iss": "https://evil.example"}))),
        ("another key", Issuer::other().token()),
        ("another audience", issuer.token_with(&json!({"aud": "other"}))),
        ("another type", header(json!({"typ": "JWT"}))),
        ("another algorithm", header(json!({"alg": "HS256"}))),
        ("no algorithm", header(json!({"alg": "none"}))),
        ("an unknown extension", header(json!({"crit": ["x"]}))),
        ("expired", issuer.token_with(&json!({"exp": NOW_S - 31}))),
        ("not yet valid", issuer.token_with(&json!({"nbf": NOW_S + 100}))),
        ("revoked", issuer.token_with(&json!({"sid": ENDED_SESSION}))),
        ("malformed", "abc".to_owned()),
        ("empty", String::new()),
        ("oversized", "a".repeat(8193)),
    ]
}

/// All rows.
pub(crate) fn rows() -> Vec<Row> {
    let issuer = Issuer::shared();
    let mut rows = Vec::new();
    let mut add = |name: &str, route: Route, authorization: Vec<String>, status: u16, challenge: Option<String>| {
        rows.push(Row { name: format!("{name} at {}", route.path()), route, authorization, status, challenge });
    };
    let bearer = |token: String| vec![format!("Bearer {token}")];
    for route in Route::ALL {
        for (name, token) in invalid_tokens() {
            add(name, route, bearer(token), 401, challenge(", error=\"invalid_token\""));
        }
        let two = vec![format!("Bearer {}", issuer.token()), "Basic YTpi".to_owned()];
        add("two headers", route, two, 400, challenge(", error=\"invalid_request\""));
        let (status, missing) = if route == Route::Optional { (200, None) } else { (401, challenge("")) };
        add("no token", route, Vec::new(), status, missing.clone());
        add("another scheme", route, vec!["Basic YTpi".to_owned()], status, missing);
        let strong = issuer.token_with(&json!({"acr": "aal2", "amr": ["pwd", "otp", "mfa"]}));
        add("a valid token", route, bearer(strong), 200, None);
        if route != Route::Permission {
            let service = issuer.service_token(&json!({}));
            add("a service account", route, bearer(service), 403, challenge(", error=\"insufficient_scope\""));
        }
    }
    let lacking = issuer.token_with(&json!({"scope": "notes:read"}));
    let scope = challenge(", error=\"insufficient_scope\", scope=\"notes:write\"");
    add("no permission", Route::Permission, bearer(lacking), 403, scope);
    add("a service account", Route::Permission, bearer(issuer.service_token(&json!({}))), 200, None);
    let weak = challenge(", error=\"insufficient_user_authentication\", acr_values=\"aal2 phr\"");
    add("one factor", Route::SecondFactor, bearer(issuer.token()), 401, weak);
    let old = issuer.token_with(&json!({"auth_time": NOW_S - 301}));
    let age = challenge(", error=\"insufficient_user_authentication\", max_age=\"300\"");
    add("an old authentication", Route::Recent, bearer(old), 401, age);
    rows
}
