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

/// What a page offers in place of a new password: a passkey, registered with the operation of this path, and providers. The
/// passkey is hidden until the script knows that the browser can create one.
pub(super) fn instead_of_password(texts: &Texts, passkeys: Option<&str>, providers: &Displays) -> String {
    let others = of_providers(texts, providers);
    let Some(call) = passkeys else { return below_divider(texts, &others) };
    let attributes = format!(
        "id=\"by-passkey\" data-call=\"{}\" aria-describedby=\"by-passkey-note\" data-needs-passkeys hidden",
        escape(call)
    );
    let hidden = if others.is_empty() { " data-needs-passkeys hidden" } else { "" };
    format!(
        "<p class=\"or\"{hidden}>{or}</p>\n{button}<p id=\"by-passkey-note\" class=\"note\" data-needs-passkeys hidden>\
         {note}</p>\n{others}",
        or = escape(texts.say("sign_in_form.or")),
        button = button(&attributes, icons::PASSKEY, texts.say("passkey_instead.button")),
        note = escape(texts.say("passkey_instead.note")),
    )
}
