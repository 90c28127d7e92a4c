//! The schema. A change is a new migration at the end of the list.

use sea_orm_migration::prelude::*;

pub(crate) struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![Box::new(CreateNotes)]
    }
}

struct CreateNotes;

impl MigrationName for CreateNotes {
    fn name(&self) -> &'static str {
        "0001_notes"
    }
}

#[derive(DeriveIden)]
enum Notes {
    Table,
    Id,
    OwnerId,
    Title,
    Body,
}

#[async_trait::async_trait]
impl MigrationTrait for CreateNotes {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let table = Table::create()
            .table(Notes::Table)
            .col(ColumnDef::new(Notes::Id).uuid().not_null().primary_key())
            .col(ColumnDef::new(Notes::OwnerId).uuid().not_null())
            .col(ColumnDef::new(Notes::Title).text().not_null())
            .col(ColumnDef::new(Notes::Body).text().not_null())
            .to_owned();
        manager.create_table(table).await?;
        // Pages of one owner, newest first: ids are ordered by time.
        let index =
            Index::create().name("notes_by_owner").table(Notes::Table).col(Notes::OwnerId).col(Notes::Id).to_owned();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_table(Table::drop().table(Notes::Table).to_owned()).await
    }
}
