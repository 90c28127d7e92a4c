//! The buttons of sign-in methods other than the password.

use denizen_domain::providers::{ProviderDisplay, ProviderName};

use super::icons;
use super::texts::{Texts, escape};

/// Providers, as [`denizen_domain::providers::displays`] lists them.
pub(super) type Displays = [(ProviderName, ProviderDisplay)];

/// A button with an icon. The attributes and the icon are HTML.
pub(super) fn button(attributes: &str, icon: &str, text: &str) -> String {
    format!("<button class=\"other\" type=\"button\" {attributes}>{icon}<span>{}</span></button>\n", escape(text))
}

/// The buttons of providers. `startAt` of `common.js` needs the URL of the sign-in page in `data-self`.
pub(super) fn of_providers(texts: &Texts, providers: &Displays) -> String {
    let of_provider = |(name, display): &(ProviderName, ProviderDisplay)| {
        let text = texts.say("sign_in_form.provider").replace("%s", &display.label);
        let icon = icons::of_provider(&display.icon, &display.label);
        button(&format!("data-provider=\"{}\"", escape(name.as_str())), &icon, &text)
    };
    providers.iter().map(of_provider).collect()
}

/// These buttons below a divider, or nothing if there are none.
pub(super) fn below_divider(texts: &Texts, buttons: &str) -> String {
    if buttons.is_empty() {
        return String::new();
    }
    format!("<p class=\"or\">{}</p>\n{buttons}", escape(texts.say("sign_in_form.or")))
}
