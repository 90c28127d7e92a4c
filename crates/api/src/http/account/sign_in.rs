//! `/account/sign-in`: the sign-in page, and the page of mailed sign-in links, which has a token.

use axum::extract::State;
use axum::response::Response;
use denizen_domain::ctx::Policy;
use denizen_domain::one_time::Purpose;
use denizen_domain::providers::{self, ProviderDisplay, ProviderName};
use denizen_infra::mail::Links;
use http::{HeaderMap, Uri};
use serde::Deserialize;

use super::frame::{Frame, Script, attribute};
use super::texts::Texts;
use super::{LINK, buttons, escape, icons, page};
use crate::http::extract::Caller;
use crate::http::problem::Problem;
use crate::http::{Shared, SharedState, cookies};

const PAGE: &str = include_str!("sign-in.html");

/// The parameters that change how the page is shown. Others are for its script.
#[derive(Default, Deserialize)]
struct Params {
    token: Option<String>,
    /// The code, or the error, of a sign-in at a provider.
    code: Option<String>,
    error: Option<String>,
    /// Set by the page of a link when a second factor is required.
    step: Option<String>,
    /// Where the browser goes after the sign-in.
    return_to: Option<String>,
}

/// What the page offers.
#[derive(Default)]
pub(super) struct Offer {
    pub(super) providers: Vec<(ProviderName, ProviderDisplay)>,
    /// The origins whose pages can use passkeys.
    pub(super) passkey_origins: Vec<String>,
    pub(super) sends_mail: bool,
    pub(super) mailed_codes: bool,
    pub(super) magic_links: bool,
}

impl Offer {
    /// What a server offers.
    pub(super) async fn of(shared: &SharedState, ctx: &denizen_domain::Ctx) -> Result<Self, Problem> {
        let policy = &shared.services.policy;
        Ok(Self {
            providers: providers::displays(ctx).await?,
            passkey_origins: shared.services.webauthn.origins().to_vec(),
            sends_mail: policy.sends_mail,
            mailed_codes: policy.offers_mailed_codes && policy.sends_mail,
            magic_links: policy.offers_magic_links && policy.sends_mail,
        })
    }
}

/// A visit of the page.
#[derive(Default)]
pub(super) struct Visit {
    /// The URL of the page.
    pub(super) own_url: String,
    /// An allowed URL to go on to.
    pub(super) return_to: Option<String>,
    /// Whether the browser may have a session.
    pub(super) may_be_signed_in: bool,
    /// Whether the browser comes back from a provider or a mailed link.
    pub(super) is_returning: bool,
}

/// The URL of the page.
pub(super) fn url(policy: &Policy) -> String {
    format!("{}{}", policy.public_url, Links::path(Purpose::SignIn))
}

/// The page, in the language of the reader.
pub(super) async fn show(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let params: Params = serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    if params.token.is_some() {
        return Ok(LINK.show(&shared, &headers, &[]));
    }
    let policy = &shared.services.policy;
    let visit = Visit {
        own_url: url(policy),
        return_to: params.return_to.and_then(|raw| policy.redirects.target(&raw)),
        may_be_signed_in: cookies::refresh_of(&headers).is_some(),
        is_returning: params.code.is_some() || params.error.is_some() || params.step.is_some(),
    };
    let offer = Offer::of(&shared, &ctx).await?;
    Ok(page(written(Texts::of_request(&headers), &policy.product_name, &offer, &visit)))
}

/// The page in a language. Every value is escaped, including those of the configuration.
pub(super) fn written(texts: &Texts, product: &str, offer: &Offer, visit: &Visit) -> String {
    let is_working = visit.may_be_signed_in || visit.is_returning;
    let hidden_if = |hides: bool| if hides { " hidden" } else { "" };
    let forgot = format!("<a href=\"#\" data-forgot>{}</a>", escape(texts.say("sign_in_form.forgot")));
    let go_on = format!("<p><a id=\"continue\" class=\"button\">{}</a></p>\n", escape(texts.say("signed_in.continue")));
    let main = texts
        .fill(PAGE)
        .replace("{hide_working}", hidden_if(!is_working))
        .replace("{hide_form}", hidden_if(is_working))
        .replace("{passkey_icon}", icons::PASSKEY)
        .replace("{forgot}", if offer.sends_mail { &forgot } else { "" })
        .replace("{continue}", if visit.return_to.is_some() { &go_on } else { "" })
        .replace("{others}", &others(texts, offer));
    let script = Some(Script { file: "sign-in.js", settings: settings(texts, offer, visit) });
    Frame { texts, product, title: "sign_in_form.title", base: "", script }.around(&main)
}

/// The attributes that the script reads.
fn settings(texts: &Texts, offer: &Offer, visit: &Visit) -> String {
    let mut settings = texts.errors();
    let mut add = |name: &str, value: &str| settings += &attribute(name, value);
    add("self", &visit.own_url);
    add("passkeys", &offer.passkey_origins.join(" "));
    if visit.may_be_signed_in {
        add("session", "1");
    }
    if let Some(url) = &visit.return_to {
        add("return", url);
    }
    settings
}

/// The buttons of the other sign-in methods.
fn others(texts: &Texts, offer: &Offer) -> String {
    let button = |is_offered: bool, attributes: &str, icon: &str, key: &str| {
        if is_offered { buttons::button(attributes, icon, texts.say(key)) } else { String::new() }
    };
    let others = [
        button(!offer.passkey_origins.is_empty(), "id=\"passkey\"", icons::PASSKEY, "sign_in_form.passkey"),
        buttons::of_providers(texts, &offer.providers),
        button(offer.mailed_codes, "data-mailed=\"codes\"", icons::MAIL, "sign_in_form.mailed_code"),
        button(offer.magic_links, "data-mailed=\"magic-links\"", icons::MAIL, "sign_in_form.magic_link"),
    ];
    buttons::below_divider(texts, &others.concat())
}
