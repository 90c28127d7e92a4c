//! The queries. Each one names the owner.

use async_trait::async_trait;
use domain::{Note, NoteId, Notes, OwnerId, StoreError};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};

use crate::Database;
use crate::note::{ActiveModel, Column, Entity, Model};

impl TryFrom<Model> for Note {
    type Error = StoreError;

    fn try_from(row: Model) -> Result<Self, StoreError> {
        Self::from_parts(row.id, row.title, row.body).map_err(StoreError::new)
    }
}

#[async_trait]
impl Notes for Database {
    async fn insert(&self, owner: OwnerId, note: &Note) -> Result<(), StoreError> {
        let row = ActiveModel {
            id: Set(note.id.0),
            owner_id: Set(owner.0),
            title: Set(note.title.as_str().to_owned()),
            body: Set(note.body.as_str().to_owned()),
        };
        Entity::insert(row).exec_without_returning(self.connection()).await.map_err(StoreError::new)?;
        Ok(())
    }

    async fn list(&self, owner: OwnerId, before: Option<NoteId>, limit: u32) -> Result<Vec<Note>, StoreError> {
        let mut query = Entity::find().filter(Column::OwnerId.eq(owner.0));
        if let Some(before) = before {
            query = query.filter(Column::Id.lt(before.0));
        }
        let query = query.order_by_desc(Column::Id).limit(u64::from(limit));
        let rows = query.all(self.connection()).await.map_err(StoreError::new)?;
        rows.into_iter().map(Note::try_from).collect()
    }

    async fn find(&self, owner: OwnerId, id: NoteId) -> Result<Option<Note>, StoreError> {
        let query = Entity::find_by_id(id.0).filter(Column::OwnerId.eq(owner.0));
        let row = query.one(self.connection()).await.map_err(StoreError::new)?;
        row.map(Note::try_from).transpose()
    }

    async fn replace(&self, owner: OwnerId, note: &Note) -> Result<bool, StoreError> {
        let statement = Entity::update_many()
            .col_expr(Column::Title, Expr::value(note.title.as_str()))
            .col_expr(Column::Body, Expr::value(note.body.as_str()))
            .filter(Column::OwnerId.eq(owner.0))
            .filter(Column::Id.eq(note.id.0));
        let result = statement.exec(self.connection()).await.map_err(StoreError::new)?;
        Ok(result.rows_affected > 0)
    }

    async fn delete(&self, owner: OwnerId, id: NoteId) -> Result<bool, StoreError> {
        let statement = Entity::delete_many().filter(Column::OwnerId.eq(owner.0)).filter(Column::Id.eq(id.0));
        let result = statement.exec(self.connection()).await.map_err(StoreError::new)?;
        Ok(result.rows_affected > 0)
    }

    async fn delete_all(&self, owner: OwnerId) -> Result<u64, StoreError> {
        let statement = Entity::delete_many().filter(Column::OwnerId.eq(owner.0));
        let result = statement.exec(self.connection()).await.map_err(StoreError::new)?;
        Ok(result.rows_affected)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.connection().ping().await.map_err(StoreError::new)
    }
}
