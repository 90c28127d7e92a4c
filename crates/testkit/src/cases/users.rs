//! Users.

use std::sync::Arc;

use denizen_domain::credentials::PasswordHash;
use denizen_domain::id::UserId;
use denizen_domain::page::Page;
use denizen_domain::store::{Store, StoreError};
use denizen_domain::users::{Attributes, Deletion, DisplayName, EmailAddress, Status, User, UserFilter};
use denizen_domain::value::{Object, Value};

use super::{find, insert};
use crate::{Fixture, build};

pub async fn who_is_absent_is_none(f: Fixture) {
    let nobody = build::user(1);
    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.find_user(nobody.id).await.unwrap(), None);
    assert_eq!(read.find_user_by_email(&nobody.email).await.unwrap(), None);
    drop(read);
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_user(nobody.id).await.unwrap(), None);
    assert!(!tx.delete_user(nobody.id).await.unwrap());
    assert!(!tx.has_other_active_admin(nobody.id).await.unwrap());
    tx.record_sign_in(nobody.id, build::EPOCH).await.unwrap();
}

pub async fn a_user_comes_back_as_it_was(f: Fixture) {
    let user = User {
        email_verified: true,
        name: DisplayName::from_stored("Ünal 王小明 می\u{200c}نا 👩‍🚀".to_owned()),
        status: Status::Invited,
        last_sign_in_at: Some(build::moment(7)),
        version: 41,
        ..build::admin(1)
    };
    check_round_trip(&*f.store, user).await;
}

pub async fn the_largest_user_comes_back_as_it_was(f: Fixture) {
    check_round_trip(&*f.store, largest()).await;
    let hard_to_compress = (0..200).map(|n| char::from_u32(0x20000 + n * 37).unwrap()).collect();
    check_round_trip(&*f.store, User { name: DisplayName::from_stored(hard_to_compress), ..build::user(2) }).await;
    let mixed: String = (0..200_u32).map(|n| char::from_u32(0xFDFA + n * n % 2).unwrap()).collect();
    check_round_trip(&*f.store, User { name: DisplayName::from_stored(mixed), ..build::user(3) }).await;
}

pub async fn due_deletions_are_taken_in_order_by_one(f: Fixture) {
    let scheduled = |n: u32, at: u32| User {
        status: Status::Disabled,
        deletion: Some(Deletion { after: build::moment(at), status_before: Status::Invited }),
        version: 2,
        ..build::user(n)
    };
    insert(&*f.store, &[build::user(1), build::user(2), scheduled(3, 20), build::user(4)]).await;
    for user in [scheduled(1, 30), scheduled(2, 10)] {
        let mut tx = f.store.write().await.unwrap();
        tx.lock_user(user.id).await.unwrap().unwrap();
        assert!(tx.update_user(&user).await.unwrap());
        tx.commit().await.unwrap();
        assert_eq!(find(&*f.store, user.id).await, Some(user));
    }
    assert_eq!(find(&*f.store, build::user(3).id).await, Some(scheduled(3, 20)));
    let take = async |now, until, limit| {
        let mut tx = f.store.write().await.unwrap();
        let taken = tx.take_due_deletions(build::moment(now), build::moment(until), limit).await.unwrap();
        tx.commit().await.unwrap();
        taken.into_iter().collect::<std::collections::HashSet<_>>()
    };
    let ids = |numbers: &[u32]| numbers.iter().map(|n| build::user(*n).id).collect();
    assert_eq!(take(9, 100, 10).await, ids(&[]));
    assert_eq!(take(25, 100, 1).await, ids(&[2]), "the earliest first");
    assert_eq!(take(40, 100, 10).await, ids(&[1, 3]), "those that nobody took");
    assert_eq!(take(99, 200, 10).await, ids(&[]));
    assert_eq!(take(100, 200, 10).await, ids(&[1, 2, 3]), "again after a failure");
    assert_eq!(find(&*f.store, build::user(1).id).await, Some(scheduled(1, 30)), "unchanged");
}

pub async fn attributes_come_back_to_the_last_bit(f: Fixture) {
    let floats =
        [0.1, 1.0, -0.0, 1e300, 5e-324, f64::MAX, f64::MIN_POSITIVE, 0.1 + 0.2, 9.3e18, 122.416_294_033_786_58];
    let nested = Value::Array(vec![Value::Null, Value::Bool(true), Value::Object(Object::new()), Value::Array(vec![])]);
    let object = Object::from([
        ("null".to_owned(), Value::Null),
        ("max".to_owned(), Value::Integer(i64::MAX)),
        ("min".to_owned(), Value::Integer(i64::MIN)),
        ("floats".to_owned(), Value::Array(floats.map(Value::Float).to_vec())),
        ("text".to_owned(), Value::String("\0 \" \\ \u{1} \u{2028} 👩‍🚀 'quoted' $1 ?".to_owned())),
        (String::new(), Value::String(String::new())),
        ("nested".to_owned(), Value::Object(Object::from([("deep".to_owned(), nested)]))),
    ]);
    let app_attributes = Attributes::parse(Object::from([("plan".to_owned(), Value::Null)])).unwrap();
    let user = User { attributes: Attributes::parse(object).unwrap(), app_attributes, ..build::user(1) };
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let found = find(&*f.store, user.id).await.unwrap();
    assert_eq!(found, user);
    // Equality does not tell 0 from -0.
    let Value::Array(back) = &found.attributes.as_object()["floats"] else { panic!("floats are an array") };
    for (float, back) in floats.iter().zip(back) {
        assert!(
            matches!(back, Value::Float(back) if back.to_bits() == float.to_bits()),
            "{float:?} came back {back:?}"
        );
    }
}

pub async fn an_address_is_taken_once(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;

    // The refusal leaves the transaction whole: an import goes on after it.
    let mut tx = f.store.write().await.unwrap();
    assert!(!tx.insert_user(&User { email: user.email.clone(), ..build::user(2) }).await.unwrap());
    assert!(tx.insert_user(&build::user(3)).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(find(&*f.store, user.id).await, Some(user));
    assert_eq!(find(&*f.store, build::user(2).id).await, None);
    assert!(find(&*f.store, build::user(3).id).await.is_some());
}

pub async fn sixty_four_inserts_of_one_address_have_one_winner(f: Fixture) {
    let email = build::user(0).email;
    let tasks: Vec<_> = (1..=64)
        .map(|n| {
            let user = User { email: email.clone(), ..build::user(n) };
            let store = f.store.clone();
            tokio::spawn(async move { try_insert(&*store, &user).await })
        })
        .collect();
    let mut winners = 0;
    for task in tasks {
        winners += usize::from(task.await.unwrap().unwrap());
    }
    assert_eq!(winners, 1);
    assert_eq!(f.store.read().await.unwrap().count_users(&UserFilter::default(), u64::MAX).await.unwrap().value(), 1);
}

pub async fn many_users_are_added_at_once(f: Fixture) {
    insert(&*f.store, &[build::user(7)]).await;
    let users: Vec<_> = (1..=600).map(build::user).collect();
    let largest = User { id: build::user(601).id, created_at: build::moment(601), ..largest() };
    let again =
        User { name: DisplayName::from_stored("Second".to_owned()), email: build::user(3).email, ..build::user(602) };
    let rows: Vec<_> = users.iter().chain([&largest, &again]).collect();
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.insert_users(&[]).await.unwrap(), []);
    let mut inserted = tx.insert_users(&rows).await.unwrap();
    assert_eq!(tx.insert_users(&rows).await.unwrap(), [], "all addresses are taken");
    tx.commit().await.unwrap();
    inserted.sort_unstable();
    let mut expected: Vec<_> = users.iter().chain([&largest]).filter(|user| user.id != build::user(7).id).collect();
    expected.sort_unstable_by_key(|user| user.id);
    assert_eq!(inserted, expected.iter().map(|user| user.id).collect::<Vec<_>>());
    for user in expected {
        assert_eq!(find(&*f.store, user.id).await.as_ref(), Some(user));
    }

    let mut read = f.store.read().await.unwrap();
    let ids: Vec<_> = rows.iter().map(|user| user.id).collect();
    let mut found = read.find_users(&ids).await.unwrap();
    found.sort_unstable_by_key(|user| user.id);
    let mut expected: Vec<_> = users.iter().chain([&largest]).cloned().collect();
    expected.sort_unstable_by_key(|user| user.id);
    assert_eq!(found, expected);
    assert_eq!(read.find_users(&[]).await.unwrap(), []);
    let repeated = read.find_users(&[build::user(1).id, build::user(900).id, build::user(1).id]).await.unwrap();
    assert_eq!(repeated, [build::user(1)]);
}

pub async fn many_users_are_added_once_by_several(f: Fixture) {
    let mut tasks = tokio::task::JoinSet::new();
    for importer in 0..8 {
        let store = f.store.clone();
        tasks.spawn(async move {
            let user = |n| User { email: build::user(n).email, ..build::user(n + 1_000 * importer) };
            let users: Vec<_> = (1..=300).map(user).collect();
            let mut tx = store.write().await.unwrap();
            let inserted = tx.insert_users(&users.iter().collect::<Vec<_>>()).await.unwrap().len();
            tx.commit().await.unwrap();
            inserted
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<usize>(), 300);
    let count = f.store.read().await.unwrap().count_users(&UserFilter::default(), u64::MAX).await.unwrap();
    assert_eq!(count.value(), 300);
}

pub async fn an_update_replaces(f: Fixture) {
    let before = build::user(1);
    insert(&*f.store, &[before.clone(), build::user(2)]).await;
    let after = User {
        email: EmailAddress::from_stored("new@example.com".to_owned()),
        email_verified: true,
        name: DisplayName::from_stored("Renamed".to_owned()),
        status: Status::Disabled,
        attributes: Attributes::parse(Object::from([("plan".to_owned(), Value::Integer(2))])).unwrap(),
        app_attributes: Attributes::parse(Object::from([("seats".to_owned(), Value::Integer(3))])).unwrap(),
        updated_at: build::moment(9),
        last_sign_in_at: Some(build::moment(8)),
        version: 2,
        created_at: before.created_at,
        ..build::admin(1)
    };
    let mut tx = f.store.write().await.unwrap();
    assert_eq!(tx.lock_user(before.id).await.unwrap(), Some(before.clone()));
    assert!(tx.update_user(&after).await.unwrap());
    tx.commit().await.unwrap();

    assert_eq!(find(&*f.store, before.id).await, Some(after.clone()));
    assert_eq!(find(&*f.store, build::user(2).id).await, Some(build::user(2)));
    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.find_user_by_email(&before.email).await.unwrap(), None);
    let renamed = UserFilter { prefix: Some("renamed".to_owned()), ..UserFilter::default() };
    let page = Page::new(None, None, None).unwrap();
    assert_eq!(read.list_users(&renamed, page).await.unwrap(), [after]);
}

pub async fn an_update_to_a_taken_address_changes_nothing(f: Fixture) {
    let (first, second) = (build::user(1), build::user(2));
    insert(&*f.store, &[first.clone(), second.clone()]).await;
    let mut tx = f.store.write().await.unwrap();
    tx.lock_user(second.id).await.unwrap().unwrap();
    assert!(!tx.update_user(&User { email: first.email.clone(), version: 2, ..second.clone() }).await.unwrap());
    drop(tx);
    assert_eq!(find(&*f.store, second.id).await, Some(second));
}

pub async fn a_locked_user_is_changed_by_one_at_a_time(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let tasks: Vec<_> = (0..20).map(|_| tokio::spawn(bump_version(f.store.clone(), user.id))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(find(&*f.store, user.id).await.unwrap().version, 21, "no change was lost");
}

pub async fn a_delete_takes_everything_along(f: Fixture) {
    let (user, other) = (build::user(1), build::user(2));
    let (session, others) = (build::session(&user, 1), build::session(&other, 2));
    insert(&*f.store, &[user.clone(), other.clone()]).await;
    let mut tx = f.store.write().await.unwrap();
    tx.set_password(user.id, &PasswordHash::from_encoded("hash".to_owned()), build::EPOCH).await.unwrap();
    tx.insert_session(&session).await.unwrap();
    tx.insert_session(&others).await.unwrap();
    tx.commit().await.unwrap();

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(user.id).await.unwrap());
    assert!(!tx.delete_user(user.id).await.unwrap());
    tx.commit().await.unwrap();

    let mut read = f.store.read().await.unwrap();
    assert_eq!(read.find_user(user.id).await.unwrap(), None);
    assert!(read.find_password(user.id).await.unwrap().is_none());
    assert_eq!(read.session_state(session.id).await.unwrap(), None);
    assert!(read.session_state(others.id).await.unwrap().is_some());
    drop(read);
    // The address is free again.
    insert(&*f.store, &[User { email: user.email, ..build::user(3) }]).await;
}

pub async fn a_sign_in_is_no_change(f: Fixture) {
    let user = build::user(1);
    insert(&*f.store, std::slice::from_ref(&user)).await;
    let mut tx = f.store.write().await.unwrap();
    tx.record_sign_in(user.id, build::moment(5)).await.unwrap();
    tx.commit().await.unwrap();
    let expected = User { last_sign_in_at: Some(build::moment(5)), ..user };
    assert_eq!(find(&*f.store, expected.id).await, Some(expected));
}

pub async fn only_other_active_admins_count(f: Fixture) {
    let admin = build::admin(1);
    insert(&*f.store, &[admin.clone(), build::user(2), User { status: Status::Disabled, ..build::admin(3) }]).await;
    insert(&*f.store, &[User { status: Status::Invited, ..build::admin(4) }]).await;
    assert!(!has_other(&*f.store, admin.id).await);
    assert!(has_other(&*f.store, build::user(2).id).await);
    insert(&*f.store, &[build::admin(5)]).await;
    assert!(has_other(&*f.store, admin.id).await);
}

pub async fn two_admins_cannot_remove_each_other(f: Fixture) {
    for round in 0..8 {
        let (first, second) = (build::admin(round * 2 + 1), build::admin(round * 2 + 2));
        insert(&*f.store, &[first.clone(), second.clone()]).await;
        let one = tokio::spawn(try_demote(f.store.clone(), first.id));
        let other = tokio::spawn(try_demote(f.store.clone(), second.id));
        let outcomes = (one.await.unwrap(), other.await.unwrap());
        assert!(matches!(outcomes, (true, false) | (false, true)), "round {round}: {outcomes:?}");
        // Leave no admin for the next round.
        let mut tx = f.store.write().await.unwrap();
        tx.delete_user(first.id).await.unwrap();
        tx.delete_user(second.id).await.unwrap();
        tx.commit().await.unwrap();
    }
}

/// The first user with the longest address, name and attributes.
fn largest() -> User {
    let email = format!("{}@{}.example", "a".repeat(64), "b.".repeat(90) + "c");
    let values: Object = (0..512).map(|n| (format!("{n:07}"), Value::String("é".repeat(8)))).collect();
    User {
        email: EmailAddress::parse(&email).unwrap(),
        // Each of these is eighteen characters in the form that is searched.
        name: DisplayName::parse(&"\u{FDFA}".repeat(200)).unwrap(),
        attributes: Attributes::parse(values.clone()).unwrap(),
        app_attributes: Attributes::parse(values).unwrap(),
        version: i64::MAX,
        ..build::user(1)
    }
}

async fn check_round_trip(store: &dyn Store, user: User) {
    insert(store, std::slice::from_ref(&user)).await;
    assert_eq!(find(store, user.id).await.as_ref(), Some(&user), "in place");
    let mut read = store.read().await.unwrap();
    assert_eq!(read.find_user_by_email(&user.email).await.unwrap().as_ref(), Some(&user), "by address");
    drop(read);
    let mut snapshot = store.snapshot().await.unwrap();
    assert_eq!(snapshot.find_user(user.id).await.unwrap().as_ref(), Some(&user), "in a snapshot");
    drop(snapshot);
    let mut tx = store.write().await.unwrap();
    assert_eq!(tx.lock_user(user.id).await.unwrap().as_ref(), Some(&user), "locked");
    assert!(tx.update_user(&user).await.unwrap(), "replaced by itself");
    tx.commit().await.unwrap();
    assert_eq!(find(store, user.id).await, Some(user), "after an update");
}

async fn try_insert(store: &dyn Store, user: &User) -> Result<bool, StoreError> {
    let mut tx = store.write().await?;
    let is_new = tx.insert_user(user).await?;
    tx.commit().await?;
    Ok(is_new)
}

async fn bump_version(store: Arc<dyn Store>, id: UserId) {
    let mut tx = store.write().await.unwrap();
    let user = tx.lock_user(id).await.unwrap().unwrap();
    assert!(tx.update_user(&User { version: user.version + 1, ..user }).await.unwrap());
    tx.commit().await.unwrap();
}

async fn has_other(store: &dyn Store, id: UserId) -> bool {
    store.write().await.unwrap().has_other_active_admin(id).await.unwrap()
}

/// What `users::update` does when it takes somebody's role away.
async fn try_demote(store: Arc<dyn Store>, id: UserId) -> bool {
    let mut tx = store.write().await.unwrap();
    let user = tx.lock_user(id).await.unwrap().unwrap();
    let demoted = User { role: denizen_domain::roles::RoleName::user(), version: user.version + 1, ..user };
    assert!(tx.update_user(&demoted).await.unwrap());
    if !tx.has_other_active_admin(id).await.unwrap() {
        return false;
    }
    tx.commit().await.unwrap();
    true
}
