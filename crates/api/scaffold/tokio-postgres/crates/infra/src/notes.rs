//! The statements, prepared once per connection. Each one names the owner.

use async_trait::async_trait;
use domain::{Note, NoteId, Notes, OwnerId, StoreError};
use tokio_postgres::Row;
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use crate::Database;

impl Database {
    async fn query(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await.map_err(StoreError::new)?;
        client.query(&statement, params).await.map_err(StoreError::new)
    }

    /// Returns the number of changed rows.
    async fn execute(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<u64, StoreError> {
        let client = self.client().await?;
        let statement = client.prepare_cached(sql).await.map_err(StoreError::new)?;
        client.execute(&statement, params).await.map_err(StoreError::new)
    }
}

/// A row of `id`, `title` and `body`.
fn note(row: &Row) -> Result<Note, StoreError> {
    let id = row.try_get("id").map_err(StoreError::new)?;
    let title = row.try_get("title").map_err(StoreError::new)?;
    let body = row.try_get("body").map_err(StoreError::new)?;
    Note::from_parts(id, title, body).map_err(StoreError::new)
}

#[async_trait]
impl Notes for Database {
    async fn insert(&self, owner: OwnerId, note: &Note) -> Result<(), StoreError> {
        self.execute(
            "INSERT INTO notes (id, owner_id, title, body) VALUES ($1, $2, $3, $4)",
            &[&note.id.0, &owner.0, &note.title.as_str(), &note.body.as_str()],
        )
        .await?;
        Ok(())
    }

    async fn list(&self, owner: OwnerId, before: Option<NoteId>, limit: u32) -> Result<Vec<Note>, StoreError> {
        let before = before.map_or(Uuid::max(), |id| id.0);
        let rows = self
            .query(
                "SELECT id, title, body FROM notes WHERE owner_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
                &[&owner.0, &before, &i64::from(limit)],
            )
            .await?;
        rows.iter().map(note).collect()
    }

    async fn find(&self, owner: OwnerId, id: NoteId) -> Result<Option<Note>, StoreError> {
        let rows =
            self.query("SELECT id, title, body FROM notes WHERE owner_id = $1 AND id = $2", &[&owner.0, &id.0]).await?;
        rows.first().map(note).transpose()
    }

    async fn replace(&self, owner: OwnerId, note: &Note) -> Result<bool, StoreError> {
        let changed = self
            .execute(
                "UPDATE notes SET title = $1, body = $2 WHERE owner_id = $3 AND id = $4",
                &[&note.title.as_str(), &note.body.as_str(), &owner.0, &note.id.0],
            )
            .await?;
        Ok(changed > 0)
    }

    async fn delete(&self, owner: OwnerId, id: NoteId) -> Result<bool, StoreError> {
        let deleted = self.execute("DELETE FROM notes WHERE owner_id = $1 AND id = $2", &[&owner.0, &id.0]).await?;
        Ok(deleted > 0)
    }

    async fn delete_all(&self, owner: OwnerId) -> Result<u64, StoreError> {
        self.execute("DELETE FROM notes WHERE owner_id = $1", &[&owner.0]).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.query("SELECT 1", &[]).await?;
        Ok(())
    }
}
