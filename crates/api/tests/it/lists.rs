//! `GET /api/v1/users`: pages, filters and the cursor.

use std::collections::BTreeSet;
use std::fmt::Write;

use denizen_proto::v1;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::grpc::client::Rpc;
use crate::harness::{PASSWORD, SignedIn, TestApp, field_problem, fields_problem, on_both};

const USERS: &str = "/api/v1/users";

/// An admin, made first and therefore last in every list, and users by these import lines, oldest first.
async fn with_users(app: &TestApp, lines: &[Value]) -> SignedIn {
    let admin = app.admin().await;
    for line in lines {
        let report = app.import(&admin, format!("{line}\n")).await;
        assert_eq!(report["created"], 1, "{report}");
    }
    admin
}

async fn emails(app: &TestApp, admin: &SignedIn, query: &str) -> Vec<String> {
    emails_of(app.get(&format!("{USERS}?{query}"), &admin.token).await).await
}

async fn emails_of(response: Response) -> Vec<String> {
    assert_eq!(response.status(), 200);
    let users: Vec<Value> = response.json().await.unwrap();
    users.iter().map(|user| user["email"].as_str().unwrap().trim_end_matches("@example.com").to_owned()).collect()
}

fn person(name: &str) -> Value {
    json!({"email": format!("{name}@example.com"), "name": name})
}

/// The path of the next page.
fn next(response: &Response) -> Option<String> {
    let link = response.headers().get("link")?.to_str().unwrap();
    let (path, rel) = link.strip_prefix('<').unwrap().split_once(">; ").unwrap();
    assert_eq!(rel, "rel=\"next\"");
    Some(path.to_owned())
}

on_both! {
    async fn the_newest_come_first(app: TestApp) {
        let admin = with_users(&app, &[person("a"), person("b"), person("c")]).await;
        assert_eq!(emails(&app, &admin, "").await, ["c", "b", "a", "user1"]);
        assert_eq!(emails(&app, &admin, "limit=2").await, ["c", "b"]);
        assert_eq!(emails(&app, &admin, "limit=2&offset=1").await, ["b", "a"]);
        assert_eq!(emails(&app, &admin, "offset=4").await, Vec::<String>::new());
        assert_eq!(emails(&app, &admin, "offset=1000000").await, Vec::<String>::new());
    }

    async fn a_page_holds_twenty_unless_told(app: TestApp) {
        let admin = app.admin().await;
        let mut lines = String::new();
        for at in 0..250 {
            writeln!(lines, "{}", person(&format!("p{at:03}"))).unwrap();
        }
        assert_eq!(app.import(&admin, lines).await["created"], 250);
        assert_eq!(emails(&app, &admin, "").await.len(), 20);
        assert_eq!(emails(&app, &admin, "limit=1").await.len(), 1);
        assert_eq!(emails(&app, &admin, "limit=200").await.len(), 200);
    }

    async fn parameters_out_of_bounds_are_named(app: TestApp) {
        let admin = app.admin().await;
        for (query, field, code) in [
            ("limit=0", "limit", "out_of_range"),
            ("limit=201", "limit", "out_of_range"),
            ("limit=-1", "limit", "wrong_type"),
            ("limit=ten", "limit", "wrong_type"),
            ("limit=", "limit", "wrong_type"),
            ("limit=99999999999999999999", "limit", "wrong_type"),
            ("offset=-1", "offset", "wrong_type"),
            ("offset=1000001", "offset", "out_of_range"),
            ("offset=1.5", "offset", "wrong_type"),
            ("email=nobody", "email", "invalid_email"),
            ("role=king", "role", "unknown_role"),
            ("status=gone", "status", "invalid_value"),
            ("status=Active", "status", "invalid_value"),
            ("created_after=yesterday", "created_after", "invalid_value"),
            ("created_after=2026-02-30T00:00:00Z", "created_after", "invalid_value"),
            ("count=yes", "count", "invalid_value"),
            ("q=%00", "q", "invalid_value"),
            (&format!("q={}", "a".repeat(201)), "q", "invalid_value"),
            ("page=2", "page", "unknown_field"),
            ("Limit=2", "Limit", "unknown_field"),
            ("limit=1&limit=2", "limit", "duplicate"),
            ("q=a&q=a", "q", "duplicate"),
            ("after=", "after", "invalid_cursor"),
        ] {
            field_problem(app.get(&format!("{USERS}?{query}"), &admin.token).await, field, code).await;
        }
        let several = app.get(&format!("{USERS}?role=No+Role&status=gone&count=2"), &admin.token).await;
        let expected = [("role", "unknown_role"), ("status", "invalid_value"), ("count", "invalid_value")];
        fields_problem(several, &expected).await;
    }

    async fn each_filter_narrows(app: TestApp) {
        let lines = [
            json!({"email": "ann@example.com", "name": "Ann", "role": "admin", "created_at": "2020-01-01T00:00:00Z"}),
            json!({"email": "ben@example.com", "name": "Ben", "status": "disabled", "created_at": "2021-01-01T00:00:00Z"}),
            json!({"email": "cat@example.com", "name": "Cat", "status": "invited", "created_at": "2022-01-01T00:00:00Z"}),
            json!({"email": "dan@example.com", "name": "Dan", "role": "admin", "status": "disabled", "created_at": "2023-01-01T00:00:00Z"}),
        ];
        let admin = with_users(&app, &lines).await;
        for (query, expected) in [
            ("email=ben@example.com", vec!["ben"]),
            ("email=BEN@EXAMPLE.com", vec!["ben"]),
            ("email=nobody@example.com", vec![]),
            ("role=admin", vec!["user1", "dan", "ann"]),
            ("role=user", vec!["cat", "ben"]),
            ("status=active", vec!["user1", "ann"]),
            ("status=disabled", vec!["dan", "ben"]),
            ("status=invited", vec!["cat"]),
            ("created_after=2022-01-01T00:00:00Z", vec!["user1", "dan"]),
            ("created_after=2021-12-31T23:59:59.999999Z", vec!["user1", "dan", "cat"]),
            ("created_after=2022-01-01T02:00:00%2B02:00", vec!["user1", "dan"]),
            ("created_after=9999-12-31T23:59:59Z", vec![]),
            ("role=admin&status=disabled", vec!["dan"]),
            ("role=user&status=active", vec![]),
            ("role=admin&created_after=2020-06-01T00:00:00Z&limit=1", vec!["user1"]),
            ("status=disabled&q=d", vec!["dan"]),
            ("email=dan@example.com&role=user", vec![]),
            ("q=ben&email=ben@example.com&role=user&status=disabled&created_after=2020-01-01T00:00:00Z", vec!["ben"]),
        ] {
            assert_eq!(emails(&app, &admin, query).await, expected, "{query}");
        }
    }

    async fn a_prefix_finds_addresses_and_names_in_any_case(app: TestApp) {
        let lines = [
            json!({"email": "zoe@example.com", "name": "Ärger Ohne"}),
            json!({"email": "a_b@example.com", "name": "Percent 100%"}),
            json!({"email": "axb@example.com", "name": "zoe's twin"}),
            json!({"email": "mia@example.com", "name": "Ｗide Ⅳ"}),
        ];
        let admin = with_users(&app, &lines).await;
        for (q, expected) in [
            ("zoe", vec!["axb", "zoe"]),
            ("ZOE@", vec!["zoe"]),
            ("%C3%A4rger", vec!["zoe"]),
            ("A%CC%88RGER", vec!["zoe"]),
            ("a_b", vec!["a_b"]),
            ("percent+100%25", vec!["a_b"]),
            ("percent%25", vec![]),
            ("wide+iv", vec!["mia"]),
            ("b@example", vec![]),
            ("", vec!["mia", "axb", "a_b", "zoe", "user1"]),
            ("%27%3B--", vec![]),
            ("%5C", vec![]),
            ("%F4%8F%BF%BF", vec![]),
        ] {
            assert_eq!(emails(&app, &admin, &format!("q={q}")).await, expected, "{q}");
        }
    }

    async fn the_total_is_counted_when_asked_for(app: TestApp) {
        let admin = with_users(&app, &[person("a"), person("b"), person("c")]).await;
        let total = async |query: &str| {
            let response = app.get(&format!("{USERS}?{query}"), &admin.token).await;
            response.headers().get("x-total-count").map(|total| total.to_str().unwrap().to_owned())
        };
        assert_eq!(total("").await, None);
        assert_eq!(total("count=false").await, None);
        assert_eq!(total("%63ount=true&ro%6Ce=user").await.as_deref(), Some("3"), "names are decoded");
        assert_eq!(total("count=true&limit=1").await.as_deref(), Some("4"));
        assert_eq!(total("count=true&role=user&offset=2").await.as_deref(), Some("3"));
        assert_eq!(total("count=true&q=nobody").await.as_deref(), Some("0"));
    }

    async fn totals_above_ten_thousand_are_marked_where_they_are_a_lower_bound(app: TestApp) {
        let admin = app.admin().await;
        let mut lines = String::new();
        for at in 0..10_005 {
            writeln!(lines, "{}", json!({"email": format!("p{at}@example.com"), "name": "Pat"})).unwrap();
        }
        assert_eq!(app.import(&admin, lines).await["created"], 10_005);
        let total = async |query: &str| {
            let response = app.get(&format!("{USERS}?limit=1&count=true&{query}"), &admin.token).await;
            let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
            (header("x-total-count").unwrap(), header("x-total-count-limited"))
        };
        let exactly = |total: &str| (total.to_owned(), None);
        let at_least = |total: &str| (total.to_owned(), Some("true".to_owned()));
        assert_eq!(total("").await, exactly("10006"));
        assert_eq!(total("role=user&status=active").await, exactly("10005"));
        assert_eq!(total("role=admin").await, exactly("1"));
        assert_eq!(total("q=p").await, at_least("10000"));
        assert_eq!(total("q=p1000").await, exactly("6"));
        assert_eq!(total("created_after=2000-01-01T00:00:00Z").await, at_least("10000"));

        let rpc = Rpc::to(&app).by(&admin.token);
        let list = async |prefix: &str| {
            let request = v1::ListUsersRequest { prefix: prefix.to_owned(), with_total_size: true, ..Default::default() };
            let answer = rpc.users().list_users(request).await.unwrap().into_inner();
            (answer.total_size, answer.total_size_limited)
        };
        assert_eq!(list("").await, (Some(10_006), false));
        assert_eq!(list("p").await, (Some(10_000), true));
    }

    async fn the_link_leads_through_everybody_once(app: TestApp) {
        let admin = app.admin().await;
        let mut lines = String::new();
        for at in 0..57 {
            // Many at one moment: then the id decides.
            let moment = format!("2020-01-0{}T00:00:00Z", 1 + at % 3);
            writeln!(lines, "{}", json!({"email": format!("p{at}@example.com"), "name": "P", "created_at": moment})).unwrap();
        }
        assert_eq!(app.import(&admin, lines).await["created"], 57);

        let mut path = Some(format!("{USERS}?limit=10&role=user&count=true"));
        let (mut found, mut pages) = (Vec::new(), 0);
        while let Some(at) = path {
            let response = app.get(&at, &admin.token).await;
            path = next(&response);
            assert!(path.as_ref().is_none_or(|path| path.contains("role=user") && path.contains("limit=10")), "{path:?}");
            found.extend(emails_of(response).await);
            pages += 1;
            // Whoever comes during the walk is newer than its beginning.
            let body = json!({"email": app.fresh_email(), "password": PASSWORD, "name": "Late"});
            assert_eq!(app.post(USERS, &body).await.status(), 201);
        }
        assert_eq!(pages, 6);
        assert_eq!(found.len(), 57);
        assert_eq!(found.iter().collect::<BTreeSet<_>>().len(), 57);
    }

    async fn the_last_page_has_no_link(app: TestApp) {
        let admin = with_users(&app, &[person("a"), person("b"), person("c")]).await;
        let page = async |query: &str| next(&app.get(&format!("{USERS}?{query}"), &admin.token).await);
        assert_eq!(page("limit=4").await, None);
        assert_eq!(page("limit=2&offset=2").await, None);
        assert!(page("limit=3").await.is_some());
        let second = page("limit=2&offset=1").await.unwrap();
        assert!(!second.contains("offset"), "{second}");
        assert_eq!(emails_of(app.get(&second, &admin.token).await).await, ["user1"]);
    }

    async fn a_deleted_user_does_not_break_the_walk(app: TestApp) {
        let admin = with_users(&app, &[person("a"), person("b"), person("c"), person("d")]).await;
        let first = app.get(&format!("{USERS}?limit=2"), &admin.token).await;
        let path = next(&first).unwrap();
        let users: Vec<Value> = first.json().await.unwrap();
        let last = format!("{USERS}/{}", users[1]["id"].as_str().unwrap());
        assert_eq!(app.delete(&last, &admin.token).await.status(), 204);
        assert_eq!(emails_of(app.get(&path, &admin.token).await).await, ["b", "a"]);
    }

    async fn a_cursor_is_ours_and_whole_or_refused(app: TestApp) {
        let admin = with_users(&app, &[person("a"), person("b")]).await;
        let path = next(&app.get(&format!("{USERS}?limit=1"), &admin.token).await).unwrap();
        let cursor = path.split("after=").nth(1).unwrap().to_owned();
        let refused = async |cursor: &str| {
            let response = app.get(&format!("{USERS}?after={cursor}"), &admin.token).await;
            field_problem(response, "after", "invalid_cursor").await;
        };
        for at in [0, 10, 20, 40, cursor.len() - 1] {
            let mut altered = cursor.clone().into_bytes();
            altered[at] = if altered[at] == b'A' { b'B' } else { b'A' };
            refused(&String::from_utf8(altered).unwrap()).await;
        }
        refused(&cursor[..cursor.len() - 1]).await;
        refused(&format!("{cursor}A")).await;
        refused(&format!("{cursor}%3D")).await;
        refused(&"A".repeat(cursor.len())).await;
        refused(&"A".repeat(5_000)).await;
        refused("%00%ff%27").await;

        let both = app.get(&format!("{USERS}?after={cursor}&offset=1"), &admin.token).await;
        field_problem(both, "offset", "not_allowed").await;

        let foreign = TestApp::start(crate::harness::Db::Sqlite).await;
        let other = foreign.admin().await;
        let response = foreign.get(&format!("{USERS}?after={cursor}"), &other.token).await;
        field_problem(response, "after", "invalid_cursor").await;
    }

    async fn a_list_is_for_admins(app: TestApp) {
        let user = app.user().await;
        assert_eq!(app.get(USERS, &user.token).await.status(), 403);
        // Not even whether a parameter is right is told.
        assert_eq!(app.request(Method::GET, USERS, None).send().await.unwrap().status(), 401);
    }
}
