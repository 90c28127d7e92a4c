//! Notes in SQLite. Every statement names the owner, so that a note of another user is one that does not exist.

use sqlx::SqlitePool;
use uuid::Uuid;

use super::{Draft, Note};

/// The notes of all users.
#[derive(Debug, Clone)]
pub struct Notes(SqlitePool);

impl Notes {
    pub(crate) fn new(pool: SqlitePool) -> Self {
        Self(pool)
    }

    /// Waits for the queries that are running, and closes the database.
    pub async fn close(&self) {
        self.0.close().await;
    }

    #[expect(clippy::disallowed_methods, reason = "an id of its own is the only random thing here")]
    pub(crate) async fn create(&self, owner: Uuid, draft: Draft) -> sqlx::Result<Note> {
        let note = Note { id: Uuid::now_v7(), title: draft.title.0, body: draft.body.0 };
        sqlx::query("INSERT INTO notes (id, owner_id, title, body) VALUES (?, ?, ?, ?)")
            .bind(note.id)
            .bind(owner)
            .bind(&note.title)
            .bind(&note.body)
            .execute(&self.0)
            .await?;
        Ok(note)
    }

    /// The newest notes before an id.
    pub(crate) async fn list(&self, owner: Uuid, before: Option<Uuid>, limit: u32) -> sqlx::Result<Vec<Note>> {
        sqlx::query_as("SELECT id, title, body FROM notes WHERE owner_id = ? AND id < ? ORDER BY id DESC LIMIT ?")
            .bind(owner)
            .bind(before.unwrap_or(Uuid::max()))
            .bind(limit)
            .fetch_all(&self.0)
            .await
    }

    pub(crate) async fn find(&self, owner: Uuid, id: Uuid) -> sqlx::Result<Option<Note>> {
        sqlx::query_as("SELECT id, title, body FROM notes WHERE owner_id = ? AND id = ?")
            .bind(owner)
            .bind(id)
            .fetch_optional(&self.0)
            .await
    }

    /// `None` if there is no such note.
    pub(crate) async fn replace(&self, owner: Uuid, id: Uuid, draft: Draft) -> sqlx::Result<Option<Note>> {
        sqlx::query_as("UPDATE notes SET title = ?, body = ? WHERE owner_id = ? AND id = ? RETURNING id, title, body")
            .bind(draft.title.0)
            .bind(draft.body.0)
            .bind(owner)
            .bind(id)
            .fetch_optional(&self.0)
            .await
    }

    /// Whether there was such a note.
    pub(crate) async fn delete(&self, owner: Uuid, id: Uuid) -> sqlx::Result<bool> {
        let statement = sqlx::query("DELETE FROM notes WHERE owner_id = ? AND id = ?").bind(owner).bind(id);
        Ok(statement.execute(&self.0).await?.rows_affected() > 0)
    }

    /// The number of deleted notes.
    pub(crate) async fn delete_all(&self, owner: Uuid) -> sqlx::Result<u64> {
        let statement = sqlx::query("DELETE FROM notes WHERE owner_id = ?").bind(owner);
        Ok(statement.execute(&self.0).await?.rows_affected())
    }
}
