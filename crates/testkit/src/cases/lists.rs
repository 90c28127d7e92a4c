//! Lists of users: every answer is compared with a plain filter and sort.

use denizen_domain::page::{Count, PAGE_MAX, Page, Position, Start};
use denizen_domain::roles::RoleName;
use denizen_domain::store::Store;
use denizen_domain::users::{DisplayName, EmailAddress, Status, User, UserFilter, search_key};

use super::{check_walks, insert, walk};
use crate::{Fixture, build};

pub async fn the_newest_come_first(f: Fixture) {
    // Neither the order of insertion nor that of the ids.
    insert(&*f.store, &[build::user(2), build::user(3), User { created_at: build::moment(9), ..build::user(1) }]).await;
    let listed = list(&*f.store, &UserFilter::default(), Page::new(None, None, None).unwrap()).await;
    let names: Vec<_> = listed.iter().map(|user| user.name.as_str()).collect();
    assert_eq!(names, ["User 1", "User 3", "User 2"]);
}

pub async fn every_walk_finds_the_same_users(f: Fixture) {
    let users = population();
    insert(&*f.store, &users).await;
    let filters = [
        UserFilter::default(),
        UserFilter { role: Some(RoleName::user()), ..UserFilter::default() },
        UserFilter { status: Some(Status::Active), ..UserFilter::default() },
        UserFilter { role: Some(RoleName::user()), status: Some(Status::Disabled), ..UserFilter::default() },
        UserFilter { prefix: Some("user".to_owned()), ..UserFilter::default() },
        UserFilter { prefix: Some("a".to_owned()), status: Some(Status::Active), ..UserFilter::default() },
    ];
    for filter in &filters {
        let expected = expected(&users, filter);
        let list = async |page| list(&*f.store, filter, page).await;
        check_walks(list, User::position, &expected, &format!("{filter:?}")).await;
    }
}

pub async fn filters_narrow_alone_and_together(f: Fixture) {
    let users = population();
    insert(&*f.store, &users).await;
    let mut read = f.store.read().await.unwrap();
    let page = Page::new(Some(PAGE_MAX), None, None).unwrap();
    for filter in every_filter() {
        let expected = expected(&users, &filter);
        assert_eq!(read.list_users(&filter, page).await.unwrap(), expected, "{filter:?}");
        assert_eq!(read.count_users(&filter, u64::MAX).await.unwrap().value(), expected.len() as u64, "{filter:?}");
    }
}

pub async fn a_prefix_is_taken_literally(f: Fixture) {
    let named = |n, name: &str| User { name: DisplayName::parse(name).unwrap(), ..build::user(n) };
    let users = [
        named(1, "100% Ada"),
        named(2, "100 Ada"),
        named(3, "_under"),
        named(4, "xunder"),
        named(5, "Ünal"),
        named(6, "ünal zwei"),
        named(7, "u\u{308}ber"),
        named(8, "👩‍🚀 Ada"),
        named(9, "王小明"),
        named(10, "O'Neil \\ \"x\""),
        named(11, "user11@example.com"),
        named(12, "ﬁne"),
    ];
    insert(&*f.store, &users).await;
    let found = async |prefix: &str| {
        let filter = UserFilter { prefix: Some(search_key(prefix)), ..UserFilter::default() };
        let listed = list(&*f.store, &filter, Page::new(None, None, None).unwrap()).await;
        let count = f.store.read().await.unwrap().count_users(&filter, u64::MAX).await.unwrap().value();
        assert_eq!(count, listed.len() as u64, "{prefix:?}");
        let number =
            |user: &User| user.email.as_str()["user".len()..].split('@').next().unwrap().parse::<u32>().unwrap();
        listed.iter().map(number).collect::<Vec<_>>()
    };
    assert_eq!(found("100%").await, [1]);
    assert_eq!(found("100").await, [2, 1]);
    assert_eq!(found("%").await, [] as [u32; 0]);
    assert_eq!(found("_").await, [3]);
    assert_eq!(found("ÜN").await, [6, 5]);
    assert_eq!(found("ü").await, [7, 6, 5]);
    assert_eq!(found("👩").await, [8]);
    assert_eq!(found("王").await, [9]);
    assert_eq!(found("o'neil \\").await, [10]);
    assert_eq!(found("FINE").await, [12]);
    // By address and by name: one user, once.
    assert_eq!(found("user11@example.com").await, [11]);
    assert_eq!(found("user1").await, [12, 11, 10, 1]);
    assert_eq!(found("").await.len(), users.len());
    for prefix in ["\0", "user1\0", "ada\0b", "\u{10FFFF}", "zzz", "' OR 1=1 --", &"u".repeat(5_000)] {
        assert_eq!(found(prefix).await, [] as [u32; 0], "{prefix:?}");
    }
}

/// More users than a search reads at first: each way of reading a list finds all of them, in order, once.
pub async fn searches_find_every_match_among_many_users(f: Fixture) {
    let users = crowd();
    insert(&*f.store, &users).await;
    let filter = |prefix: &str| UserFilter { prefix: Some(prefix.to_owned()), ..UserFilter::default() };
    let active = |prefix: &str| UserFilter { status: Some(Status::Active), ..filter(prefix) };
    let admins = |prefix: &str| UserFilter { role: Some(RoleName::admin()), ..filter(prefix) };
    let filters = [
        filter("g"),
        filter("gr"),
        filter("grace"),
        filter("user"),
        filter("user1"),
        // Only the oldest.
        filter("grace old"),
        // Only the newest, by name and by address.
        filter("unew"),
        active("g"),
        active("grace"),
        admins("u"),
        admins("grace"),
        UserFilter { status: Some(Status::Active), ..admins("g") },
        UserFilter { created_after: Some(build::moment(200)), ..filter("gr") },
        UserFilter { created_after: Some(build::moment(400)), ..active("grace") },
    ];
    for filter in &filters {
        let expected = expected(&users, filter);
        let list = async |page| list(&*f.store, filter, page).await;
        let by_offset = |found: &[User]| Start::Offset(u32::try_from(found.len()).unwrap());
        let by_cursor = |found: &[User]| found.last().map_or(Start::Offset(0), |last| Start::After(last.position()));
        assert_eq!(walk(&list, by_offset, PAGE_MAX).await, expected, "by offset, {filter:?}");
        assert_eq!(walk(&list, by_cursor, 150).await, expected, "by cursor, {filter:?}");
    }
}

pub async fn totals_are_counted_up_to_a_bound(f: Fixture) {
    let users = crowd();
    insert(&*f.store, &users).await;
    let prefix = |prefix: &str| UserFilter { prefix: Some(prefix.to_owned()), ..UserFilter::default() };
    let mut read = f.store.read().await.unwrap();
    for filter in [
        UserFilter::default(),
        UserFilter { role: Some(RoleName::admin()), ..UserFilter::default() },
        UserFilter { status: Some(Status::Active), ..UserFilter::default() },
        UserFilter { role: Some(RoleName::user()), status: Some(Status::Active), ..UserFilter::default() },
        UserFilter { created_after: Some(build::moment(300)), ..UserFilter::default() },
        prefix("u"),
        prefix("grace"),
    ] {
        let expected = expected(&users, &filter).len() as u64;
        for max in [0, 1, 100, expected - 1, expected, u64::MAX] {
            assert_eq!(read.count_users(&filter, max).await.unwrap(), Count::up_to(max, expected), "{max}, {filter:?}");
        }
    }
    for filter in [
        UserFilter { role: Some(RoleName::admin()), ..prefix("g") },
        UserFilter { status: Some(Status::Active), ..prefix("grace") },
        UserFilter { role: Some(RoleName::user()), status: Some(Status::Active), ..prefix("greta") },
        UserFilter { created_after: Some(build::moment(300)), ..prefix("u") },
    ] {
        let expected = expected(&users, &filter).len() as u64;
        for max in [10, 100, 1_000, u64::MAX] {
            let count = read.count_users(&filter, max).await.unwrap();
            let is_right = if count.is_exact() { count.value() == expected } else { count.value() <= expected };
            assert!(is_right, "{count:?} of {expected}, {max}, {filter:?}");
            assert!(count.is_exact() || max < 1_000, "{count:?}, {filter:?}");
        }
    }
}

pub async fn a_search_by_one_letter_follows_every_change(f: Fixture) {
    let found = async |prefix: &str| {
        let filter = UserFilter { prefix: Some(prefix.to_owned()), ..UserFilter::default() };
        list(&*f.store, &filter, Page::new(None, None, None).unwrap()).await.len()
    };
    let user = build::user(1);
    insert(&*f.store, &[user.clone(), build::user(2)]).await;
    assert_eq!((found("u").await, found("a").await, found("z").await), (2, 0, 0));

    let renamed = User { name: DisplayName::parse("Ada").unwrap(), version: 2, ..user.clone() };
    replace(&*f.store, &renamed).await;
    assert_eq!((found("u").await, found("a").await, found("z").await), (2, 1, 0), "by address or by name");

    let moved = User { email: EmailAddress::parse("zoe@example.com").unwrap(), version: 3, ..renamed };
    replace(&*f.store, &moved).await;
    assert_eq!((found("u").await, found("a").await, found("z").await), (1, 1, 1));

    let mut tx = f.store.write().await.unwrap();
    assert!(tx.delete_user(user.id).await.unwrap());
    tx.commit().await.unwrap();
    assert_eq!((found("u").await, found("a").await, found("z").await), (1, 0, 0));
}

async fn replace(store: &dyn Store, user: &User) {
    let mut tx = store.write().await.unwrap();
    tx.lock_user(user.id).await.unwrap().unwrap();
    assert!(tx.update_user(user).await.unwrap());
    tx.commit().await.unwrap();
}

/// Most with a name that begins with `g`, the oldest and the newest with names of their own.
fn crowd() -> Vec<User> {
    (0..900)
        .map(|n| {
            let name = match n {
                0..120 => format!("Grace Old {n}"),
                120..880 if n % 3 == 0 => format!("Greta {n}"),
                120..880 => format!("Grace {n}"),
                _ => format!("Unew {n}"),
            };
            let role = if n % 100 == 99 { RoleName::admin() } else { RoleName::user() };
            let status = Status::ALL[n as usize % 3];
            let name = DisplayName::parse(&name).unwrap();
            // Some of them in the same microsecond.
            User { role, status, name, created_at: build::moment(n / 2), ..build::user(n) }
        })
        .collect()
}

pub async fn pages_have_their_bounds(f: Fixture) {
    let users: Vec<_> = (0..3).map(build::user).collect();
    insert(&*f.store, &users).await;
    let size = async |page| list(&*f.store, &UserFilter::default(), page).await.len();
    let at = |limit, start| Page { limit, start };
    assert_eq!(size(at(PAGE_MAX + 1, Start::Offset(0))).await, 3, "a use case asks for one more than a page");
    assert_eq!(size(at(2, Start::Offset(2))).await, 1);
    assert_eq!(size(at(2, Start::Offset(3))).await, 0);
    assert_eq!(size(at(2, Start::Offset(1_000_000))).await, 0);
    assert_eq!(size(at(2, Start::After(users[0].position()))).await, 0, "after the oldest");
    assert_eq!(size(at(9, Start::After(users[2].position()))).await, 2, "after the newest");
    // A cursor to somebody deleted since is still a place.
    let between = Position { created_at: users[1].created_at, id: uuid::Uuid::nil() };
    assert_eq!(size(at(9, Start::After(between))).await, 1);
}

/// Users of every role and status, some created in the same microsecond.
fn population() -> Vec<User> {
    let names = ["Ada", "adam", "Ünal", "User", "Bob", "Zoë"];
    (0..60)
        .map(|n| {
            let role = if n % 7 == 0 { RoleName::admin() } else { RoleName::user() };
            let status = Status::ALL[n as usize % 3];
            let name = format!("{} {n}", names[n as usize % names.len()]);
            let name = DisplayName::parse(&name).unwrap();
            User { role, status, name, created_at: build::moment(n / 4), ..build::user(n) }
        })
        .collect()
}

/// Every filter alone, and every combination of them.
fn every_filter() -> Vec<UserFilter> {
    let emails = [None, Some(build::user(14).email), Some(EmailAddress::from_stored("no@example.com".to_owned()))];
    let prefixes = [None, Some("ad"), Some("user1"), Some("ün"), Some("")];
    let roles = [None, Some(RoleName::admin()), Some(RoleName::user())];
    let statuses = [None, Some(Status::Active), Some(Status::Invited)];
    let moments = [None, Some(build::moment(3)), Some(build::moment(99))];
    let mut filters = Vec::new();
    for email in &emails {
        for prefix in prefixes {
            for role in &roles {
                for status in statuses {
                    for created_after in moments {
                        let (email, prefix, role) = (email.clone(), prefix.map(str::to_owned), role.clone());
                        filters.push(UserFilter { email, prefix, role, status, created_after });
                    }
                }
            }
        }
    }
    filters
}

fn expected(users: &[User], filter: &UserFilter) -> Vec<User> {
    let passes = |user: &&User| {
        let has_prefix = |prefix: &String| {
            user.email.as_str().starts_with(prefix) || search_key(user.name.as_str()).starts_with(prefix)
        };
        filter.email.as_ref().is_none_or(|email| *email == user.email)
            && filter.prefix.as_ref().is_none_or(has_prefix)
            && filter.role.as_ref().is_none_or(|role| *role == user.role)
            && filter.status.is_none_or(|status| status == user.status)
            && filter.created_after.is_none_or(|moment| user.created_at > moment)
    };
    let mut expected: Vec<User> = users.iter().filter(passes).cloned().collect();
    expected.sort_by_key(|user| std::cmp::Reverse((user.created_at, user.id)));
    expected
}

async fn list(store: &dyn Store, filter: &UserFilter, page: Page) -> Vec<User> {
    store.read().await.unwrap().list_users(filter, page).await.unwrap()
}
