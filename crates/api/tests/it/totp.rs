//! An app that shows codes, as people have it on their phones: read from the `otpauth:` address alone.

use denizen_domain::time::Timestamp;
use totp_rs::Totp;

/// The app of one user.
pub(crate) struct Authenticator(Totp);

impl Authenticator {
    /// Scans the QR code.
    pub(crate) fn scan(uri: &str) -> Self {
        Self(Totp::from_url(uri).expect("an otpauth address"))
    }

    /// What it shows at a moment.
    pub(crate) fn code(&self, at: Timestamp) -> String {
        self.0.generate(at.as_seconds().cast_unsigned()).to_string()
    }
}
