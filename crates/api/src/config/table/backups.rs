//! The keys of backups.

use std::path::PathBuf;

use secrecy::SecretString;

use crate::config::declare::{Key, section_types};
use crate::config::layers::Layers;
use crate::config::rule::{Rule, flag, folder_path, http_url, optional, password, path, text, whole};

section_types! {
    /// Backups on a schedule; see docs/backups.md. With several nodes, configure them on one.
    backups: Backups {
        /// The folder of the backups; it is created if it does not exist. If empty, no backups are made in a folder.
        folder: Option<PathBuf> = "", optional(folder_path());
        /// The time between two backups, in hours.
        interval_h: u32 = "24", whole(1..=8_760);
        /// How many backups are kept in the folder, and in the bucket. Older ones are deleted.
        keep: u32 = "7", whole(1..=10_000);
        /// The age public keys that backups are encrypted to (`age1…`). If empty, they are not encrypted.
        recipients: Vec<String> = "", age_keys();
        /// The URL of S3-compatible object storage that backups are uploaded to, such as
        /// `https://s3.eu-central-1.amazonaws.com`. If empty, no backups are uploaded.
        s3_endpoint: Option<String> = "", optional(http_url());
        /// The name of the bucket. It must exist.
        s3_bucket: Option<String> = "", optional(text());
        /// The region of the bucket.
        s3_region: String = "us-east-1", text();
        /// What the keys of the backups in the bucket begin with, such as `denizen/`.
        s3_prefix: Option<String> = "", optional(object_prefix());
        /// Whether the bucket is part of the path of URLs, and not of the host.
        s3_path_style: bool = "true", flag();
        /// The identifier of the access key.
        s3_access_key_id: Option<String> = "", optional(text());
        /// The secret of the access key.
        s3_secret_access_key: Option<SecretString> = "", optional(password());
        /// Certificate authorities for the object storage in addition to the public ones, in PEM.
        s3_ca_file: Option<PathBuf> = "", optional(path());
    }
}

/// What the keys of objects begin with.
fn object_prefix() -> Rule<String> {
    Rule::of_text("a prefix of object keys such as denizen/, without a slash at its start", |text| {
        let is_valid = !text.is_empty() && !text.starts_with('/') && !text.contains(char::is_control);
        let is_segment = |segment: &str| segment != "." && segment != "..";
        (is_valid && text.len() <= 512 && text.split('/').all(is_segment)).then(|| text.to_owned())
    })
}

/// Public keys of age.
fn age_keys() -> Rule<Vec<String>> {
    Rule::of_list("age public keys (age1…), separated by commas", |text| {
        text.parse::<age::x25519::Recipient>().ok().map(|_| text.to_owned())
    })
}
