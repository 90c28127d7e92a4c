//! The gRPC API, through the generated client, on a real database.

#![expect(clippy::unwrap_used, reason = "a failure in a helper fails the test")]

mod support;

use domain::{MockNotes, StoreError};
use testkit::TestIssuer;
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

use crate::support::World;

#[tokio::test]
async fn a_user_creates_reads_replaces_and_deletes_notes() {
    let world = World::start().await;
    let mut ada = world.client(Some(&world.issuer.user().token()));
    let note = ada.create(" Groceries ", "Bread\nOlives").await.unwrap();
    assert_eq!((note.title.as_str(), note.body.as_str()), ("Groceries", "Bread\nOlives"));
    assert_eq!(ada.get(&note.id).await.unwrap(), note);
    let replaced = ada.replace(&note.id, "Changed").await.unwrap();
    assert_eq!((&replaced.id, replaced.title.as_str(), replaced.body.as_str()), (&note.id, "Changed", ""));
    assert_eq!(ada.get(&note.id).await.unwrap(), replaced);
    ada.delete(&note.id).await.unwrap();
    assert_eq!(ada.delete(&note.id).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn notes_of_other_users_do_not_exist() {
    let world = World::start().await;
    let mut ada = world.client(Some(&world.issuer.user().token()));
    let mut bob = world.client(Some(&world.issuer.user().token()));
    let note = ada.create("Groceries", "").await.unwrap();
    assert_eq!(bob.get(&note.id).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bob.replace(&note.id, "Mine").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bob.delete(&note.id).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(bob.list(None, None).await.unwrap().notes, []);
    assert_eq!(bob.delete_all().await.unwrap(), 0);
    assert_eq!(ada.list(None, None).await.unwrap().notes, [note]);
}

#[tokio::test]
async fn notes_are_listed_in_pages() {
    let world = World::start().await;
    let mut ada = world.client(Some(&world.issuer.user().token()));
    for title in ["1", "2", "3"] {
        ada.create(title, "").await.unwrap();
    }
    let first = ada.list(Some(2), None).await.unwrap();
    let second = ada.list(Some(2), first.next).await.unwrap();
    let titles: Vec<_> = first.notes.iter().chain(&second.notes).map(|note| note.title.as_str()).collect();
    assert_eq!((titles.as_slice(), second.next), (&["3", "2", "1"][..], None));
}

#[tokio::test]
async fn invalid_input_is_refused() {
    let world = World::start().await;
    let mut ada = world.client(Some(&world.issuer.user().token()));
    for (title, body) in [("", ""), ("a\nb", ""), ("a", "\0"), ("a", &"b".repeat(20_001))] {
        assert_eq!(ada.create(title, body).await.unwrap_err().code(), Code::InvalidArgument, "{title:?}");
    }
    for (limit, before) in [(Some(0), None), (Some(201), None), (None, Some("x".to_owned()))] {
        assert_eq!(ada.list(limit, before).await.unwrap_err().code(), Code::InvalidArgument, "{limit:?}");
    }
    assert_eq!(ada.get("x").await.unwrap_err().code(), Code::NotFound);
    let too_large = ada.create("a", &"b".repeat(300_000)).await.unwrap_err();
    assert_eq!(too_large.code(), Code::OutOfRange);
}

#[tokio::test]
async fn a_valid_token_is_required() {
    let world = World::start().await;
    let id = Uuid::now_v7();
    let (expired, forged) =
        (world.issuer.user().subject(id).expires_in_s(-60).token(), TestIssuer::new().user().subject(id).token());
    for token in [None, Some("nonsense"), Some(expired.as_str()), Some(&forged)] {
        let mut client = world.client(token);
        let id = id.to_string();
        let refusals = [
            client.create("a", "").await.unwrap_err(),
            client.list(None, None).await.unwrap_err(),
            client.get(&id).await.unwrap_err(),
            client.replace(&id, "a").await.unwrap_err(),
            client.delete(&id).await.unwrap_err(),
            client.delete_all().await.unwrap_err(),
        ];
        for status in refusals {
            assert_eq!(status.code(), Code::Unauthenticated, "{token:?}");
            let challenge = status.metadata().get("www-authenticate").unwrap().to_str().unwrap();
            assert!(challenge.starts_with("Bearer realm=\"denizen\""), "{challenge}");
        }
    }
}

#[tokio::test]
async fn deleting_all_notes_requires_a_recent_authentication() {
    let world = World::start().await;
    let id = Uuid::now_v7();
    let mut recent = world.client(Some(&world.issuer.user().subject(id).token()));
    recent.create("a", "").await.unwrap();
    let refused = world
        .client(Some(&world.issuer.user().subject(id).authenticated_s_ago(600).token()))
        .delete_all()
        .await
        .unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated);
    let challenge = refused.metadata().get("www-authenticate").unwrap().to_str().unwrap();
    assert!(challenge.ends_with("max_age=\"300\""), "{challenge}");
    assert_eq!(recent.delete_all().await.unwrap(), 1);
}

#[tokio::test]
async fn failures_of_the_database_are_not_explained_to_clients() {
    let mut store = MockNotes::new();
    store.expect_list().returning(|_, _, _| Err(StoreError::new("the disk is full")));
    let world = World::start_on(store, None);
    let failed = world.client(Some(&world.issuer.user().token())).list(None, None).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::Internal, "Internal error."));
}

#[tokio::test]
async fn the_health_service_needs_no_token() {
    let world = World::start().await;
    let mut health = HealthClient::new(world.channel.clone());
    let service = "notes.v1.NotesService".to_owned();
    let status = health.check(HealthCheckRequest { service }).await.unwrap().into_inner().status();
    assert_eq!(status, ServingStatus::Serving);
}

#[tokio::test]
async fn the_service_stops() {
    let world = World::start().await;
    world.client(Some(&world.issuer.user().token())).create("a", "").await.unwrap();
    world.stop().await;
}
