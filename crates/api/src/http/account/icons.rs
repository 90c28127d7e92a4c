//! The icons of sign-in buttons: SVG in the page, so that nothing is loaded from elsewhere.

use super::escape;

/// A key, for passkeys.
pub(super) const PASSKEY: &str = "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" \
     stroke-width=\"2\" stroke-linecap=\"round\" stroke-linejoin=\"round\"><circle cx=\"7.5\" cy=\"15.5\" r=\"4.5\"/>\
     <path d=\"m11 12 9-9m-3 3 3 3m-6 0 2 2\"/></svg>";
/// An envelope, for sign-in by mail.
pub(super) const MAIL: &str = "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\" fill=\"none\" stroke=\"currentColor\" \
     stroke-width=\"2\" stroke-linejoin=\"round\"><rect x=\"3\" y=\"5\" width=\"18\" height=\"14\" rx=\"2\"/>\
     <path d=\"m3 7 9 6 9-6\"/></svg>";

const GOOGLE: &str = include_str!("icons/google.svg");
const GITHUB: &str = include_str!("icons/github.svg");
const APPLE: &str = include_str!("icons/apple.svg");
const MICROSOFT: &str = include_str!("icons/microsoft.svg");

/// The icon of a provider: the logo where it is known, otherwise the first letter of the label.
pub(super) fn of_provider(icon: &str, label: &str) -> String {
    match icon {
        "google" => GOOGLE.trim().to_owned(),
        "github" => GITHUB.trim().to_owned(),
        "apple" => APPLE.trim().to_owned(),
        "microsoft" | "entra" => MICROSOFT.trim().to_owned(),
        _ => {
            let initial: String = label.chars().take(1).flat_map(char::to_uppercase).collect();
            format!("<i aria-hidden=\"true\">{}</i>", escape(&initial))
        }
    }
}
