//! The statements. Each one names the owner.

use async_trait::async_trait;
use domain::{Note, NoteId, Notes, OwnerId, StoreError};
use uuid::Uuid;

use crate::Database;

#[derive(sqlx::FromRow)]
struct NoteRow {
    id: Uuid,
    title: String,
    body: String,
}

impl TryFrom<NoteRow> for Note {
    type Error = StoreError;

    fn try_from(row: NoteRow) -> Result<Self, StoreError> {
        Self::from_parts(row.id, row.title, row.body).map_err(StoreError::new)
    }
}

#[async_trait]
impl Notes for Database {
    async fn insert(&self, owner: OwnerId, note: &Note) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO notes (id, owner_id, title, body) VALUES ($1, $2, $3, $4)")
            .bind(note.id.0)
            .bind(owner.0)
            .bind(note.title.as_str())
            .bind(note.body.as_str())
            .execute(self.pool())
            .await
            .map_err(StoreError::new)?;
        Ok(())
    }

    async fn list(&self, owner: OwnerId, before: Option<NoteId>, limit: u32) -> Result<Vec<Note>, StoreError> {
        let rows: Vec<NoteRow> = sqlx::query_as(
            "SELECT id, title, body FROM notes WHERE owner_id = $1 AND id < $2 ORDER BY id DESC LIMIT $3",
        )
        .bind(owner.0)
        .bind(before.map_or(Uuid::max(), |id| id.0))
        .bind(i64::from(limit))
        .fetch_all(self.pool())
        .await
        .map_err(StoreError::new)?;
        rows.into_iter().map(Note::try_from).collect()
    }

    async fn find(&self, owner: OwnerId, id: NoteId) -> Result<Option<Note>, StoreError> {
        let row: Option<NoteRow> = sqlx::query_as("SELECT id, title, body FROM notes WHERE owner_id = $1 AND id = $2")
            .bind(owner.0)
            .bind(id.0)
            .fetch_optional(self.pool())
            .await
            .map_err(StoreError::new)?;
        row.map(Note::try_from).transpose()
    }

    async fn replace(&self, owner: OwnerId, note: &Note) -> Result<bool, StoreError> {
        let result = sqlx::query("UPDATE notes SET title = $1, body = $2 WHERE owner_id = $3 AND id = $4")
            .bind(note.title.as_str())
            .bind(note.body.as_str())
            .bind(owner.0)
            .bind(note.id.0)
            .execute(self.pool())
            .await
            .map_err(StoreError::new)?;
        Ok(result.rows_affected() > 0)
    }

    async fn delete(&self, owner: OwnerId, id: NoteId) -> Result<bool, StoreError> {
        let result = sqlx::query("DELETE FROM notes WHERE owner_id = $1 AND id = $2")
            .bind(owner.0)
            .bind(id.0)
            .execute(self.pool())
            .await
            .map_err(StoreError::new)?;
        Ok(result.rows_affected() > 0)
    }

    async fn delete_all(&self, owner: OwnerId) -> Result<u64, StoreError> {
        let result = sqlx::query("DELETE FROM notes WHERE owner_id = $1")
            .bind(owner.0)
            .execute(self.pool())
            .await
            .map_err(StoreError::new)?;
        Ok(result.rows_affected())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        sqlx::query("SELECT 1").execute(self.pool()).await.map_err(StoreError::new)?;
        Ok(())
    }
}
