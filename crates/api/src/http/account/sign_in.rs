//! `/account/sign-in`: the sign-in page, and the page of mailed sign-in links, which has a token.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::Response;
use denizen_domain::one_time::Purpose;
use denizen_domain::providers::{self, ProviderDisplay, ProviderName};
use denizen_infra::mail::Links;
use http::{HeaderMap, Uri};
use serde::Deserialize;

use super::texts::Texts;
use super::{LINK, escape, icons, page};
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

/// The page, in the language of the reader.
pub(super) async fn show(
    State(shared): State<Shared>,
    Caller(ctx): Caller,
    headers: HeaderMap,
    uri: Uri,
) -> Result<Response, Problem> {
    let params: Params = serde_urlencoded::from_str(uri.query().unwrap_or_default()).unwrap_or_default();
    if params.token.is_some() {
        return Ok(LINK.show(&shared, &headers));
    }
    let policy = &shared.services.policy;
    let visit = Visit {
        own_url: format!("{}{}", policy.public_url, Links::path(Purpose::SignIn)),
        return_to: params.return_to.and_then(|raw| policy.redirects.target(&raw)),
        may_be_signed_in: cookies::refresh_of(&headers).is_some(),
        is_returning: params.code.is_some() || params.error.is_some() || params.step.is_some(),
    };
    let offer = Offer::of(&shared, &ctx).await?;
    Ok(page(written(Texts::of_request(&headers), &policy.product_name, &offer, &visit)))
}

/// The page in a language. What is filled in is escaped, whoever wrote it.
pub(super) fn written(texts: &Texts, product: &str, offer: &Offer, visit: &Visit) -> String {
    let is_working = visit.may_be_signed_in || visit.is_returning;
    let hidden_if = |hides: bool| if hides { " hidden" } else { "" };
    let forgot = format!("<a href=\"#\" data-forgot>{}</a>", escape(texts.say("sign_in_form.forgot")));
    let go_on = format!("<p><a id=\"continue\" class=\"button\">{}</a></p>\n", escape(texts.say("signed_in.continue")));
    texts
        .fill(PAGE)
        .replace("{language}", texts.language)
        .replace("{hide_working}", hidden_if(!is_working))
        .replace("{hide_form}", hidden_if(is_working))
        .replace("{passkey_icon}", icons::PASSKEY)
        .replace("{forgot}", if offer.sends_mail { &forgot } else { "" })
        .replace("{continue}", if visit.return_to.is_some() { &go_on } else { "" })
        .replace("{others}", &others(texts, offer))
        .replace("{settings}", &settings(texts, offer, visit))
        // Last: a product's name is never searched for places to fill.
        .replace("{product}", &escape(product))
}

/// The attributes that the script reads.
fn settings(texts: &Texts, offer: &Offer, visit: &Visit) -> String {
    let mut settings = texts.errors();
    let mut add = |name: &str, value: &str| {
        write!(settings, " data-{name}=\"{}\"", escape(value)).expect("a string can be written");
    };
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
    let mut buttons = String::new();
    let mut button = |attributes: &str, icon: &str, text: &str| {
        writeln!(
            buttons,
            "<button class=\"other\" type=\"button\" {attributes}>{icon}<span>{}</span></button>",
            escape(text)
        )
        .expect("a string can be written");
    };
    if !offer.passkey_origins.is_empty() {
        button("id=\"passkey\"", icons::PASSKEY, texts.say("sign_in_form.passkey"));
    }
    for (name, display) in &offer.providers {
        let text = texts.say("sign_in_form.provider").replace("%s", &display.label);
        let icon = icons::of_provider(&display.icon, &display.label);
        button(&format!("data-provider=\"{}\"", escape(name.as_str())), &icon, &text);
    }
    if offer.mailed_codes {
        button("data-mailed=\"codes\"", icons::MAIL, texts.say("sign_in_form.mailed_code"));
    }
    if offer.magic_links {
        button("data-mailed=\"magic-links\"", icons::MAIL, texts.say("sign_in_form.magic_link"));
    }
    if buttons.is_empty() {
        return buttons;
    }
    format!("<p class=\"or\">{}</p>\n{buttons}", escape(texts.say("sign_in_form.or")))
}
