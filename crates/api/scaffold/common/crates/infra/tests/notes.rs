//! The store, on a real database.

#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

use domain::{Draft, Note, NoteService, Notes, OwnerId, PageRequest};
use infra::Database;
use testkit::{TestDatabase, UNUSABLE_URL};
use uuid::Uuid;

const ADA: OwnerId = OwnerId(Uuid::from_u128(1));
const BOB: OwnerId = OwnerId(Uuid::from_u128(2));

async fn open(database: &TestDatabase) -> Database {
    Database::open(database.url(), 2).await.unwrap()
}

async fn create(store: &Database, owner: OwnerId, title: &str) -> Note {
    let draft = Draft::parse(title.to_owned(), "Bread\nOlives".to_owned()).unwrap();
    NoteService::new(store.clone()).create(owner, draft).await.unwrap()
}

fn changed(note: &Note) -> Note {
    Note::from_parts(note.id.0, "Changed".to_owned(), String::new()).unwrap()
}

#[tokio::test]
async fn a_note_is_stored_replaced_and_deleted() {
    let database = TestDatabase::create().await;
    let store = open(&database).await;
    let note = create(&store, ADA, "Groceries").await;
    assert_eq!(store.find(ADA, note.id).await.unwrap(), Some(note.clone()));

    assert!(store.replace(ADA, &changed(&note)).await.unwrap());
    assert_eq!(store.find(ADA, note.id).await.unwrap(), Some(changed(&note)));

    assert!(store.delete(ADA, note.id).await.unwrap());
    assert!(!store.delete(ADA, note.id).await.unwrap());
    assert!(!store.replace(ADA, &changed(&note)).await.unwrap());
    assert_eq!(store.find(ADA, note.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_note_of_another_user_does_not_exist() {
    let database = TestDatabase::create().await;
    let store = open(&database).await;
    let note = create(&store, ADA, "Groceries").await;

    assert_eq!(store.find(BOB, note.id).await.unwrap(), None);
    assert!(!store.replace(BOB, &changed(&note)).await.unwrap());
    assert!(!store.delete(BOB, note.id).await.unwrap());
    assert_eq!(store.delete_all(BOB).await.unwrap(), 0);
    assert_eq!(store.list(BOB, None, 10).await.unwrap(), []);
    assert_eq!(store.list(ADA, None, 10).await.unwrap(), [note]);
}

#[tokio::test]
async fn pages_are_complete_and_newest_first() {
    let database = TestDatabase::create().await;
    let store = open(&database).await;
    let mut created = Vec::new();
    for title in ["1", "2", "3", "4", "5"] {
        created.push(create(&store, ADA, title).await);
        create(&store, BOB, title).await;
    }
    created.reverse();

    let service = NoteService::new(store.clone());
    let mut listed = Vec::new();
    let mut before = None;
    loop {
        let page = service.list(ADA, PageRequest::parse(before, Some(2)).unwrap()).await.unwrap();
        listed.extend(page.notes);
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(listed, created);
    assert_eq!(store.delete_all(ADA).await.unwrap(), 5);
    assert_eq!(store.list(BOB, None, 10).await.unwrap().len(), 5);
}

#[tokio::test]
async fn an_existing_database_is_opened_again() {
    let database = TestDatabase::create().await;
    let store = open(&database).await;
    let note = create(&store, ADA, "Groceries").await;
    store.close().await;

    let store = open(&database).await;
    store.ping().await.unwrap();
    assert_eq!(store.find(ADA, note.id).await.unwrap(), Some(note));
}

#[tokio::test]
async fn a_database_that_cannot_be_opened_is_an_error() {
    assert!(Database::open(UNUSABLE_URL, 2).await.is_err());
}
