//! A SQLite database in a temporary folder.

use tempfile::TempDir;

/// A database in a folder that does not exist.
pub const UNUSABLE_URL: &str = "sqlite:///a-folder-that-does-not-exist/test.db";

/// A database for one test, removed when dropped.
#[derive(Debug)]
pub struct TestDatabase {
    url: String,
    _folder: TempDir,
}

impl TestDatabase {
    /// A database that does not exist yet.
    #[expect(clippy::unused_async, reason = "the same signature as with a database server")]
    pub async fn create() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be created");
        Self { url: format!("sqlite://{}", folder.path().join("test.db").display()), _folder: folder }
    }

    /// The URL of the database.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
