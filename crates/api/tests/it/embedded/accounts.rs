//! Use cases as plain calls: the same results, events and errors as over REST.

use denizen::Builder;
use denizen::accounts::{Accounts, NewAccount};
use denizen::types::{
    Conflict, Error, Permission, Resource, Status, Subject, Unauthenticated, User, UserChange, UserId,
};
use serde_json::Value;

use super::embed;
use crate::harness::{PASSWORD, TestApp, World, on_both};

async fn application(world: &World) -> (TestApp, Accounts) {
    let build = async |builder: Builder| builder.build().await;
    let (app, denizen) = embed(world, "", build, |own, denizen| own.merge(denizen.router())).await;
    (app, denizen.accounts())
}

fn new(email: &str) -> NewAccount {
    NewAccount::new(email, PASSWORD, "Ada Lovelace")
}

async fn created(accounts: &Accounts, email: &str) -> User {
    accounts.create_user(new(email)).await.unwrap()
}

fn id_of(raw: &str) -> UserId {
    UserId::parse(raw).unwrap()
}

on_both! {
    async fn users_are_created_found_changed_and_deleted(world: World) {
        let (app, accounts) = application(&world).await;
        let user = accounts.create_user(new("Ada@Example.com").role("admin").locale("fr")).await.unwrap();
        let session = app.sign_in("ada@example.com").await;
        assert_eq!((session.id.as_str(), user.role.as_str()), (user.id.to_string().as_str(), "admin"));

        assert_eq!(accounts.find_user(user.id).await.unwrap().unwrap().email, user.email);
        assert_eq!(accounts.find_user_by_email("ADA@example.com").await.unwrap().unwrap().id, user.id);
        assert_eq!(accounts.find_user_by_email("nobody@example.com").await.unwrap(), None);
        assert_eq!(accounts.find_user_by_email("not an address").await.unwrap(), None);

        let last = accounts.assign_role(user.id, "user").await.unwrap_err();
        assert!(matches!(last, Error::Conflict(Conflict::LastAdmin)), "{last:?}");
        let second = created(&accounts, "grace@example.com").await;
        assert_eq!(accounts.assign_role(second.id, "admin").await.unwrap().role.as_str(), "admin");
        assert!(matches!(accounts.assign_role(second.id, "nobody").await, Err(Error::Invalid(_))));
        let change = UserChange { status: Some(Status::Disabled), ..UserChange::default() };
        assert_eq!(accounts.update_user(second.id, change).await.unwrap().status, Status::Disabled);
        assert_eq!(accounts.set_status(second.id, Status::Active).await.unwrap().status, Status::Active);

        accounts.delete_user(user.id).await.unwrap();
        assert_eq!(accounts.find_user(user.id).await.unwrap(), None);
        assert!(matches!(accounts.delete_user(user.id).await, Err(Error::NotFound(Resource::User))));
        assert_eq!(app.me_status(&session.token).await, 401);
        let root = app.sign_in("grace@example.com").await;
        let audit: Vec<Value> = serde_json::from_value(app.json("/api/v1/audit?limit=200", &root.token).await).unwrap();
        for kind in ["user.created", "user.deleted"] {
            assert!(audit.iter().any(|record| record["type"] == kind), "{kind} is recorded");
        }
    }

    async fn invalid_fields_are_named_together(world: World) {
        let (_app, accounts) = application(&world).await;
        created(&accounts, "ada@example.com").await;
        let taken = accounts.create_user(new("ada@example.com")).await.unwrap_err();
        assert!(matches!(taken, Error::Conflict(Conflict::EmailTaken)), "{taken:?}");
        let invalid = accounts.create_user(NewAccount::new("nothing", "short", "")).await.unwrap_err();
        let Error::Invalid(fields) = invalid else { panic!("{invalid:?}") };
        let names: Vec<_> = fields.iter().map(|field| field.field.as_str()).collect();
        assert_eq!(names, ["email", "password", "name"]);
    }

    async fn tokens_are_verified_and_sessions_ended(world: World) {
        let (app, accounts) = application(&world).await;
        let user = app.user().await;
        let principal = accounts.verify_token(&user.token).await.unwrap();
        assert_eq!(principal.subject, Subject::User(id_of(&user.id)));
        assert!(!principal.permissions.contains(Permission::UsersRead));
        app.sign_in(&user.email).await;
        assert_eq!(accounts.end_sessions(id_of(&user.id)).await.unwrap(), 2);
        let ended = accounts.verify_token(&user.token).await.unwrap_err();
        assert!(matches!(ended, Error::Unauthenticated(Unauthenticated::InvalidToken)), "{ended:?}");
        assert_eq!(app.me_status(&user.token).await, 401);

        accounts.set_password(id_of(&user.id), "another long password").await.unwrap();
        assert_eq!(app.try_sign_in(&user.email, PASSWORD).await.status(), 401);
        assert_eq!(app.try_sign_in(&user.email, "another long password").await.status(), 201);
    }

    async fn a_caller_has_their_own_permissions_only(world: World) {
        let (app, accounts) = application(&world).await;
        let (user, other) = (app.user().await, app.user().await);
        let principal = accounts.verify_token(&user.token).await.unwrap();
        let theirs = accounts.acting_as(principal);
        assert_eq!(theirs.find_user(id_of(&user.id)).await.unwrap().unwrap().email.to_string(), user.email);
        assert_eq!(theirs.find_user(id_of(&other.id)).await.unwrap(), None);
        assert!(matches!(theirs.find_user_by_email(&other.email).await, Err(Error::Forbidden)));
        assert!(matches!(theirs.delete_user(id_of(&other.id)).await, Err(Error::NotFound(Resource::User))));
        assert!(matches!(theirs.assign_role(id_of(&user.id), "admin").await, Err(Error::Forbidden)));
        theirs.delete_user(id_of(&user.id)).await.unwrap();
        assert_eq!(accounts.find_user(id_of(&user.id)).await.unwrap(), None);
    }
}
