//! The queries. Each one names the owner.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use domain::{Note, NoteId, Notes, OwnerId, StoreError};
use uuid::Uuid;

use crate::Database;
use crate::key::Key;
use crate::schema::notes;

#[derive(Queryable, Selectable)]
#[diesel(table_name = notes)]
struct NoteRow {
    id: Key,
    title: String,
    body: String,
}

#[derive(Insertable)]
#[diesel(table_name = notes)]
struct NewNote<'a> {
    id: Key,
    owner_id: Key,
    title: &'a str,
    body: &'a str,
}

impl TryFrom<NoteRow> for Note {
    type Error = StoreError;

    fn try_from(row: NoteRow) -> Result<Self, StoreError> {
        Self::from_parts(row.id.0, row.title, row.body).map_err(StoreError::new)
    }
}

#[async_trait]
impl Notes for Database {
    async fn insert(&self, owner: OwnerId, note: &Note) -> Result<(), StoreError> {
        let row = NewNote {
            id: Key(note.id.0),
            owner_id: Key(owner.0),
            title: note.title.as_str(),
            body: note.body.as_str(),
        };
        let statement = diesel::insert_into(notes::table).values(row);
        statement.execute(&mut self.connection().await?).await.map_err(StoreError::new)?;
        Ok(())
    }

    async fn list(&self, owner: OwnerId, before: Option<NoteId>, limit: u32) -> Result<Vec<Note>, StoreError> {
        let before = Key(before.map_or(Uuid::max(), |id| id.0));
        let query = notes::table
            .filter(notes::owner_id.eq(Key(owner.0)))
            .filter(notes::id.lt(before))
            .order(notes::id.desc())
            .limit(i64::from(limit))
            .select(NoteRow::as_select());
        let rows = query.load(&mut self.connection().await?).await.map_err(StoreError::new)?;
        rows.into_iter().map(Note::try_from).collect()
    }

    async fn find(&self, owner: OwnerId, id: NoteId) -> Result<Option<Note>, StoreError> {
        let query = notes::table
            .filter(notes::owner_id.eq(Key(owner.0)))
            .filter(notes::id.eq(Key(id.0)))
            .select(NoteRow::as_select());
        let row = query.first(&mut self.connection().await?).await.optional().map_err(StoreError::new)?;
        row.map(Note::try_from).transpose()
    }

    async fn replace(&self, owner: OwnerId, note: &Note) -> Result<bool, StoreError> {
        let target = notes::table.filter(notes::owner_id.eq(Key(owner.0))).filter(notes::id.eq(Key(note.id.0)));
        let statement =
            diesel::update(target).set((notes::title.eq(note.title.as_str()), notes::body.eq(note.body.as_str())));
        let changed = statement.execute(&mut self.connection().await?).await.map_err(StoreError::new)?;
        Ok(changed > 0)
    }

    async fn delete(&self, owner: OwnerId, id: NoteId) -> Result<bool, StoreError> {
        let target = notes::table.filter(notes::owner_id.eq(Key(owner.0))).filter(notes::id.eq(Key(id.0)));
        let statement = diesel::delete(target);
        let deleted = statement.execute(&mut self.connection().await?).await.map_err(StoreError::new)?;
        Ok(deleted > 0)
    }

    async fn delete_all(&self, owner: OwnerId) -> Result<u64, StoreError> {
        let statement = diesel::delete(notes::table.filter(notes::owner_id.eq(Key(owner.0))));
        let deleted = statement.execute(&mut self.connection().await?).await.map_err(StoreError::new)?;
        u64::try_from(deleted).map_err(StoreError::new)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        diesel::sql_query("SELECT 1").execute(&mut self.connection().await?).await.map_err(StoreError::new)?;
        Ok(())
    }
}
